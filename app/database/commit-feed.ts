import type { Log } from "../log.ts";

/** A command that this machine has just committed, with the result that its client gets. */
export type Commit = { readonly command: string; readonly result: unknown };

export type CommitListener = (commit: Commit) => void;

/** Passes every commit to its listeners, in order. The stored result of an earlier request is not a commit. */
export class CommitFeed {
  readonly #log: Log | undefined;
  readonly #listeners = new Set<CommitListener>();

  constructor(log?: Log) {
    this.#log = log;
  }

  readonly listen = (listener: CommitListener): void => {
    this.#listeners.add(listener);
  };

  /** A listener that throws affects neither the other listeners nor the write. */
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
