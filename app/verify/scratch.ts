import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const prefix = "lifeboat-verify-";

/**
 * A directory for one restored copy, and a guardian that outlives this process: however it ends, the processes that
 * were started for the copy are killed and the directory is removed.
 */
export class Scratch implements AsyncDisposable {
  readonly path: string;
  readonly #tellGuardian: (line: string) => void;
  readonly #dismiss: () => void;

  constructor(parent: string) {
    sweep(parent);
    this.path = mkdtempSync(join(parent, `${prefix}${process.pid}-`));
    const env = { PATH: process.env["PATH"] ?? "/usr/bin:/bin" };
    const guardian = spawn("/bin/sh", ["-c", guard, "sh", this.path], {
      detached: true,
      stdio: ["pipe", "ignore", "ignore"],
      env,
    });
    // Without a guardian only a kill -9 of this process leaves something behind, which the next run sweeps.
    guardian.once("error", () => undefined);
    guardian.stdin.on("error", () => undefined);
    this.#tellGuardian = (line) => void guardian.stdin.write(line);
    this.#dismiss = () => void guardian.stdin.end();
  }

  /** From now on this process group ends with us. */
  guard(group: number): void {
    this.#tellGuardian(`${group}\n`);
  }

  /** What was killed may still finish a system call in the directory. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (let attempt = 1; existsSync(this.path) && attempt <= removeAttempts; attempt++) {
      rmSync(this.path, { recursive: true, force: true, maxRetries: removeAttempts });
      if (existsSync(this.path)) await sleep(removePauseMs);
    }
    this.#dismiss();
  }
}

const removeAttempts = 20;
const removePauseMs = 50;

/** Reads process groups from a pipe, and clears up when that closes: then the process at its other end is gone. */
const guard = `
trap '' INT TERM HUP
groups=
while read -r group; do groups="$groups $group"; done
for group in $groups; do kill -s KILL -- "-$group" 2>/dev/null; done
for _ in 1 2 3 4 5 6 7 8 9 10; do rm -rf -- "$1" && exit 0; sleep 0.2; done
`;

/** Removes what a run left whose computer lost its power. */
function sweep(parent: string): void {
  for (const name of readdirSync(parent).filter((entry) => entry.startsWith(prefix))) {
    const path = join(parent, name);
    const pid = Number(name.slice(prefix.length).split("-")[0]);
    const isOurs = statSync(path, { throwIfNoEntry: false })?.uid === process.getuid?.();
    if (isOurs && !isRunning(pid)) rmSync(path, { recursive: true, force: true });
  }
}

/** Another user's process counts as running: its directory is not ours either. */
function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}
