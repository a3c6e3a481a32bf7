import { execFile, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { afterAll, beforeAll, expect, test } from "vitest";

import { waitFor, within } from "../../app/cli/wait-for.ts";
import { product } from "../../app/service/product.ts";
import { findFreePorts } from "../../scripts/local/free-ports.ts";

const root = join(import.meta.dirname, "../..");
const directory = mkdtempSync(join(tmpdir(), "lifeboat dev test "));
const door = join(directory, "app/service/product.ts");
const author = product.drill.startAuthor({ name: "dev", random: Math.random, isLarge: false });

// A clone of the repository, whose sources this test may change.
beforeAll(() => {
  const words = ["ls-files", "-z", "--cached", "--others", "--exclude-standard", "app", "scripts", "package.json"];
  const listed = execFileSync("git", words, { cwd: root }).toString().split("\0");
  for (const path of listed.filter((name) => name !== "" && existsSync(join(root, name)))) {
    mkdirSync(dirname(join(directory, path)), { recursive: true });
    cpSync(join(root, path), join(directory, path), { verbatimSymlinks: true });
  }
  symlinkSync(join(root, "node_modules"), join(directory, "node_modules"));
});
afterAll(() => rmSync(directory, { recursive: true, force: true, maxRetries: 20 }));

/** `npm run dev` as a person starts it, without npm. */
class Dev implements AsyncDisposable {
  said = "";
  readonly exited: Promise<unknown>;
  readonly #child;

  constructor(...words: string[]) {
    const program = join(directory, "scripts/dev.ts");
    this.#child = spawn(process.execPath, [program, ...words], { detached: true, stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream.setEncoding("utf8").on("data", (text: string) => (this.said += text));
    this.exited = once(this.#child, "exit").then(([code, signal]: unknown[]) => code ?? signal);
  }

  /** Waits until it says so after what it has said before. */
  async hear(words: string, from = 0): Promise<void> {
    const look = async () => (this.said.slice(from).includes(words) ? true : null);
    await waitFor(words, look, { timeoutMs: 60_000 }).catch(() => expect.fail(`never "${words}": ${this.said}`));
  }

  async up(): Promise<void> {
    await this.hear("Ctrl-C ends everything");
  }

  get url(): string {
    return /^URL +(\S+)$/m.exec(this.said)?.[1] ?? "";
  }

  get token(): string {
    return /^TOKEN +(\S+)$/m.exec(this.said)?.[1] ?? "";
  }

  /** Writes something of the product to the bucket; by a session, if given one, which does not end with a process. */
  async write(cookie?: string): Promise<string> {
    const { path, body } = author.next();
    const answer = await fetch(`${this.url}${path}`, {
      method: "POST",
      headers: {
        ...(cookie === undefined ? { authorization: `Bearer ${this.token}` } : { cookie, origin: this.url }),
        durability: "bucket",
        ...(body !== undefined && { "content-type": "application/json" }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    expect(answer.status, this.said).toBe(201);
    return path;
  }

  async #signIn(): Promise<string | undefined> {
    if (product.sessions !== true) return undefined;
    const [headers, body] = [{ "content-type": "application/json" }, JSON.stringify({ token: this.token })];
    const answer = await fetch(`${this.url}/session`, { method: "POST", headers, body });
    return answer.headers.getSetCookie()[0]?.split(";")[0];
  }

  /**
   * A new page of the product, if it has any, is served once the app has started again. Gives the cookie of a session.
   */
  async showPage(): Promise<string | undefined> {
    const { pages } = product;
    if (pages === undefined) return undefined;
    const heard = this.said.length;
    const folder = relative(fileURLToPath(new URL("../../app", import.meta.url)), fileURLToPath(pages.folder));
    writeFileSync(join(directory, "app", folder, "new.html"), "<!doctype html><title>New</title>");
    await this.hear("the app serves", heard);
    expect(await (await fetch(`${this.url}${pages.path}new.html`)).text()).toContain("New");
    return await this.#signIn();
  }

  async count(path: string): Promise<number> {
    const answer = await fetch(`${this.url}${path}`, { headers: { authorization: `Bearer ${this.token}` } });
    const { items }: { items: unknown[] } = JSON.parse(await answer.text());
    return items.length;
  }

  /** To the whole group, as Ctrl-C in a terminal does. */
  signal(name: NodeJS.Signals): void {
    if (this.#child.pid !== undefined && this.#child.exitCode === null) process.kill(-this.#child.pid, name);
  }

  async end(name: NodeJS.Signals): Promise<unknown> {
    this.signal(name);
    return await within(`the end of dev: ${this.said}`, 60_000, this.exited);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) await this.end("SIGKILL");
  }
}

/** Processes that know of the folder. */
function listProcesses(): string[] {
  return readdirSync("/proc").filter((pid) => {
    if (!/^\d+$/.test(pid) || pid === String(process.pid)) return false;
    try {
      const words = readFileSync(`/proc/${pid}/cmdline`, "utf8") + readFileSync(`/proc/${pid}/environ`, "utf8");
      return `${words}${readlinkSync(`/proc/${pid}/cwd`)}`.includes(directory);
    } catch {
      return false; // It ended while we looked.
    }
  });
}

const lookAround = async () => (listProcesses().length === 0 ? true : null);

async function nothingRuns(): Promise<void> {
  await waitFor("the end of every process", lookAround, { timeoutMs: 5_000 });
}

test("dev serves from the sources, follows their changes, and keeps its data through every end", async () => {
  const [port = 0] = await findFreePorts(1);
  await using first = new Dev("--port", String(port));
  await first.up();
  expect(first.url).toBe(`http://127.0.0.1:${port}`);

  // The line as it is printed, in a shell.
  const [, curl = ""] = /^TRY +(curl .*)$/m.exec(first.said) ?? [];
  const { stdout } = await promisify(execFile)("/bin/sh", ["-euc", curl]);
  expect(JSON.parse(stdout)).toMatchObject({ openapi: "3.1.0" });
  const path = await first.write();
  expect(await first.count(path)).toBe(1);

  await using second = new Dev();
  expect(await second.exited).toBe(1);
  expect(second.said).toContain("dev: npm run dev runs already in this folder; end it with Ctrl-C there");

  // `dev` shows a mistake in the product, and the next change corrects it.
  const sources = readFileSync(door, "utf8");
  let heard = first.said.length;
  writeFileSync(door, `${sources}\nexport const = 1;\n`);
  await first.hear("[FAIL] app ended with 1", heard);
  expect(first.said.slice(heard)).toMatch(/app\/service\/product\.ts changed: the app starts again[^]*SyntaxError/);
  heard = first.said.length;
  writeFileSync(door, sources);
  await first.hear("the app serves", heard);
  expect(first.said.slice(heard)).toContain("the app starts again");
  expect(await first.count(path)).toBe(1);

  const cookie = await first.showPage();

  heard = first.said.length;
  const boot = join(directory, "app/boot/boot-limits.ts");
  writeFileSync(boot, `${readFileSync(boot, "utf8")}\n// changed\n`);
  await first.hear("the app serves", heard);
  expect(first.said.slice(heard)).toContain("app/boot/boot-limits.ts changed: everything boots again");
  await first.write();

  // Nothing is left of it after kill -9 of itself alone.
  expect(listProcesses().length).toBeGreaterThan(2);
  await first.end("SIGKILL");
  await nothingRuns();

  await using third = new Dev();
  await third.up();
  expect([third.url, third.token]).toEqual([first.url, first.token]);
  expect(await third.count(path)).toBe(2);
  await third.write(cookie);
  expect(await third.end("SIGINT"), third.said).toBe(0);
  await nothingRuns();
  expect(third.said).toContain("stopped, everything is in the bucket");

  // Both ends have kept the rows: this one begins anew with them there.
  await using fresh = new Dev("--fresh");
  await fresh.up();
  expect(fresh.said).toContain("deleted: the development data in .dev; token and port stay as they are");
  expect([fresh.url, fresh.token]).toEqual([first.url, first.token]);
  expect(await fresh.count(path)).toBe(0);
  expect(await fresh.end("SIGINT"), fresh.said).toBe(0);
  await nothingRuns();
});
