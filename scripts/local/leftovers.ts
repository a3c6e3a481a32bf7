import { spawn } from "node:child_process";
import { rmSync } from "node:fs";
import { constants } from "node:os";

/** What a verb has started or made on this computer and must not leave behind, however it ends. */
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

  /** Kills every process group and removes every path. Synchronous, because the last one to call it is "exit". */
  clear(): void {
    for (const group of this.#groups) signalGroup(group, "SIGKILL");
    this.#groups.clear();
    // A killed process may still finish one system call, so a directory can be "not empty" for a moment.
    for (const path of this.#paths) rmSync(path, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
    this.#paths.clear();
  }

  /** From now on the end of this process clears first; kill -9 leaves paths, but no process. */
  clearAtEnd(): void {
    process.on("exit", () => this.clear());
    const guardian = spawn("/bin/sh", ["-c", guard], { detached: true, stdio: ["pipe", "ignore", "ignore"], env: {} });
    guardian.once("error", () => undefined);
    // One that was killed by somebody is missed at a kill -9 only.
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
 * Hears which process groups there are, and kills them when the pipe to it is closed: that is when this process has
 * ended, and nothing in it could do so itself.
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

/** For whoever has no Leftovers of its own, such as a test: cleared when the process ends, whatever it forgot. */
export function sharedLeftovers(): Leftovers {
  if (orphans) return orphans;
  const shared = new Leftovers();
  process.once("exit", () => shared.clear());
  orphans = shared;
  return shared;
}

/** Sends a signal to a whole process group; a group that is gone already is fine. */
export function signalGroup(processGroup: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-processGroup, signal);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
}
