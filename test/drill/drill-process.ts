import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { waitFor, within } from "../../app/cli/wait-for.ts";

const drill = join(import.meta.dirname, "../../scripts/drill.ts");

/** A drill as a person starts it, with a temporary directory that the test can inspect afterwards. */
export class DrillProcess implements Disposable {
  readonly directory = mkdtempSync(join(tmpdir(), "lifeboat drill test "));
  readonly exited: Promise<number | null>;
  stdout = "";
  stderr = "";
  readonly #signal: (name: NodeJS.Signals) => void;

  constructor(words: readonly string[], environment: Record<string, string> = {}, limitMs = 300_000) {
    const env = { ...process.env, NO_COLOR: "", ...environment, TMPDIR: this.directory };
    const child = spawn(process.execPath, [drill, ...words], { detached: true, stdio: "pipe", env });
    child.stdout.on("data", (data) => (this.stdout += String(data)));
    child.stderr.on("data", (data) => (this.stderr += String(data)));
    const { promise, resolve } = Promise.withResolvers<number | null>();
    child.once("close", resolve);
    this.exited = within("the drill", limitMs, promise);
    this.#signal = (name) => child.exitCode === null && child.pid !== undefined && process.kill(-child.pid, name);
  }

  /** Waits until the transcript holds the text. */
  async waitForOutput(text: string): Promise<void> {
    const look = async () => (`${this.stdout}${this.stderr}`.includes(text) ? true : null);
    await waitFor(`"${text}" in the transcript`, look, { timeoutMs: 120_000 });
  }

  /** To the whole process group, as Ctrl-C in a terminal does. */
  signal(name: NodeJS.Signals): void {
    this.#signal(name);
  }

  /** Files in its temporary directory, and processes that know of it. */
  listLeftovers(): string[] {
    const processes = readdirSync("/proc").filter((pid) => /^\d+$/.test(pid) && this.#isOurs(pid));
    return [...readdirSync(this.directory), ...processes.map((pid) => `process ${pid}`)];
  }

  [Symbol.dispose](): void {
    this.signal("SIGTERM");
    rmSync(this.directory, { recursive: true, force: true, maxRetries: 20 });
  }

  #isOurs(pid: string): boolean {
    try {
      return readFileSync(`/proc/${pid}/environ`, "utf8").includes(this.directory);
    } catch {
      return false; // It ended while we looked, or belongs to somebody else.
    }
  }
}
