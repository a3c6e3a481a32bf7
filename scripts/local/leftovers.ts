import { rmSync } from "node:fs";
import { constants } from "node:os";

/** What a drill has started or made and must not leave behind, however it ends. */
export class Leftovers {
  readonly #groups = new Set<number>();
  readonly #paths = new Set<string>();

  addGroup(processGroup: number): void {
    this.#groups.add(processGroup);
  }

  forgetGroup(processGroup: number): void {
    this.#groups.delete(processGroup);
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

  /** From now on Ctrl-C, SIGTERM, SIGHUP and any other end of this process clear first. */
  clearOnExit(): void {
    process.on("exit", () => this.clear());
    for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
      process.on(name, () => process.exit(128 + constants.signals[name]));
    }
  }
}

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
