import type { Idempotency } from "./idempotency.ts";
import type { AppliedMigration } from "./migration-history.ts";
import type { MigrationNote } from "./migration.ts";
import type { LocalDurability, WriteAnswer } from "./write-outcome.ts";

/** The messages between the main thread and the writer thread. A command travels by name, never as SQL. */
export type WriteRequest = {
  id: number;
  command: string;
  input: unknown;
  durability: LocalDurability;
  idempotency?: Idempotency;
  /** Answers from a stored result, or rejects with `nothing-to-replay`. The command does not run. */
  replayOnly?: boolean;
};

export type MessageToThread =
  | { kind: "migrate"; restorePoint: string | null }
  | { kind: "execute"; request: WriteRequest }
  | { kind: "close" };

export type MessageFromThread =
  | { kind: "opened"; pending: readonly MigrationNote[]; unknown: readonly AppliedMigration[]; holdsData: boolean }
  | { kind: "step"; migration: MigrationNote }
  | { kind: "migrated" }
  /** Another start would end the same way. */
  | { kind: "refused"; cause: string }
  /** `hasSent`: a command of the group may have put an effect into the outbox. */
  | { kind: "answers"; answers: WriteAnswer[]; hasSent: boolean };

/**
 * The data that the thread starts with. `fence` becomes 1 when nothing may be written any more. The thread writes the
 * id of the request whose command runs to `running`, or 0.
 */
export type WriterThreadData = {
  databasePath: string;
  fence: Int32Array<SharedArrayBuffer>;
  running: BigInt64Array<SharedArrayBuffer>;
};
