import type { Log } from "../log.ts";
import type { Committed, LocalDurability } from "./write-outcome.ts";

/** A command that this machine has just committed. */
export class Commit {
  readonly command: string;
  /** What it asked for; `bucket` asks the writer for `disk`. */
  readonly durability: LocalDurability;
  readonly #committed: Pick<Committed<unknown>, "result">;

  constructor(
    { command, durability }: { command: string; durability: LocalDurability },
    committed: Pick<Committed<unknown>, "result">,
  ) {
    this.command = command;
    this.durability = durability;
    this.#committed = committed;
  }

  /** The result that its client gets. Parsed at each access, so look at the command first. */
  get result(): unknown {
    return this.#committed.result;
  }
}

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
