import { spawn } from "node:child_process";
import { existsSync, rmSync } from "node:fs";
import { constants } from "node:os";

/** Everything that a verb has started or made on this computer and must not leave behind, however it ends. */
export class Leftovers {
  readonly #groups = new Set<number>();
  readonly #paths = new Set<string>();
  #tellGuardian: (word: string) => void = () => undefined;

  addGroup(processGroup: number): void {
    this.#groups.add(processGroup);
    this.#tellGuardian(`add ${processGroup}\n`);
  }

  forgetGroup(processGroup: number): void {
    this.#groups.delete(processGroup);
    this.#tellGuardian(`forget ${processGroup}\n`);
  }

  addPath(path: string): void {
    this.#paths.add(path);
  }

  forgetPath(path: string): void {
    this.#paths.delete(path);
  }

  /** Kills every process group and removes every path. Synchronous, because it also runs on "exit". */
  clear(): void {
    for (const group of this.#groups) signalGroup(group, "SIGKILL");
    this.#groups.clear();
    for (const path of this.#paths) removeForGood(path);
    this.#paths.clear();
  }

  /** From now on the end of this process clears first. After kill -9 paths remain, but no process. */
  clearAtEnd(): void {
    process.on("exit", () => this.clear());
    const guardian = spawn("/bin/sh", ["-c", guard], { detached: true, stdio: ["pipe", "ignore", "ignore"], env: {} });
    guardian.once("error", () => undefined);
    // Without the guardian only a kill -9 of this process leaves processes behind.
    guardian.stdin.on("error", () => undefined);
    guardian.unref();
    if ("unref" in guardian.stdin && typeof guardian.stdin.unref === "function") guardian.stdin.unref();
    this.#tellGuardian = (word) => void guardian.stdin.write(word);
  }

  /** From now on Ctrl-C, SIGTERM, SIGHUP and any other end of this process clear first. */
  clearOnExit(): void {
    this.clearAtEnd();
    for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
      process.on(name, () => process.exit(128 + constants.signals[name]));
    }
  }
}

/**
 * A guardian process. It reads the list of process groups from a pipe and kills them when the pipe closes: then this
 * process has ended, and may not have been able to do it.
 */
const guard = `
trap '' INT TERM HUP
groups=' '
while read -r act group; do
  case $act in
    add) groups="$groups$group " ;;
    forget) groups="\${groups%% "$group" *} \${groups#* "$group" }" ;;
  esac
done
for group in $groups; do kill -s KILL -- "-$group"; done
`;

let orphans: Leftovers | null = null;

/** For callers without Leftovers of their own, such as tests: cleared when the process ends. */
export function sharedLeftovers(): Leftovers {
  if (orphans) return orphans;
  const shared = new Leftovers();
  process.once("exit", () => shared.clear());
  orphans = shared;
  return shared;
}

const removeAttempts = 20;
const removePauseMs = 50;

/**
 * Removes a path in which killed processes may still finish a system call. Then it can be "not empty" for a moment, and
 * `rmSync` can stop half-way without an error, when a file is gone before it gets there (seen with Node 24.21).
 */
function removeForGood(path: string): void {
  for (let attempt = 1; attempt <= removeAttempts; attempt++) {
    rmSync(path, { recursive: true, force: true, maxRetries: removeAttempts, retryDelay: removePauseMs });
    if (!existsSync(path)) return;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, removePauseMs);
  }
  throw new Error(`${path} cannot be removed: something still writes there`);
}

/** Sends a signal to a whole process group. Ignores a group that no longer exists. */
export function signalGroup(processGroup: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-processGroup, signal);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
}
