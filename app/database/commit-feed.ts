import type { Log } from "../log.ts";

/** A command that has just been committed on this machine, with the result that its request is answered with. */
export type Commit = { readonly command: string; readonly result: unknown };

export type CommitListener = (commit: Commit) => void;

/** Tells of every commit, in the order of the commits, to whoever listens. A replayed answer is no commit. */
export class CommitFeed {
  readonly #log: Log | undefined;
  readonly #listeners = new Set<CommitListener>();

  constructor(log?: Log) {
    this.#log = log;
  }

  readonly listen = (listener: CommitListener): void => {
    this.#listeners.add(listener);
  };

  /** A listener that throws takes nothing from the others, and nothing from the write, which is done. */
  readonly tell = (commit: Commit): void => {
    for (const listener of this.#listeners) {
      try {
        listener(commit);
      } catch (err) {
        this.#log?.error({ err, command: commit.command }, "a listener to commits failed");
      }
    }
  };
}
