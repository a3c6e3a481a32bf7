/** What an acknowledged write promises: see the README. `bucket` is reached outside this folder, after `disk`. */
export type Durability = "commit" | "disk" | "bucket";

/** The durabilities that a commit alone can reach. */
export type LocalDurability = Exclude<Durability, "bucket">;

export type RefusalReason =
  | "queue-full"
  | "wal-too-big"
  | "writer-stuck"
  | "stopping"
  | "fenced"
  | "disk-full"
  | "busy"
  | "rolled-back";

/** Nothing of this write was committed, and the same write may be tried again. */
export class WriteRefused extends Error {
  readonly reason: RefusalReason;
  readonly retryAfterSeconds: number;

  constructor(reason: RefusalReason, detail: string, retryAfterSeconds: number) {
    super(`the write was refused (${reason}): ${detail}`);
    this.name = "WriteRefused";
    this.reason = reason;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

/** The writer ended before it could tell: the write is there once and unaltered, or not at all. */
export class WriteOutcomeUnknown extends Error {
  constructor(cause: Error) {
    super("the writer ended before the write's outcome was known; repeat it with the same Idempotency-Key", { cause });
    this.name = "WriteOutcomeUnknown";
  }
}

/** A command's own refusal, for example "not-found" with status 404. Nothing of that command was committed. */
export class CommandRejected extends Error {
  readonly code: string;
  readonly status: number;
  readonly detail: string;

  constructor(code: string, status: number, detail: string) {
    super(`${code}: ${detail}`);
    this.name = "CommandRejected";
    this.code = code;
    this.status = status;
    this.detail = detail;
  }
}

/**
 * A command failed in a way that it did not foresee. Nothing of it was committed, its neighbours were. The cause has the
 * stack of the writer thread, for the log.
 */
export class CommandFailed extends Error {
  constructor(command: string, cause: string, stack?: string) {
    super(
      `command "${command}" failed: ${cause}`,
      stack === undefined ? {} : { cause: Object.assign(new Error(cause), { stack }) },
    );
    this.name = "CommandFailed";
  }
}

/** A committed write: what the command returned, the commit sequence that holds it, and whether it was a replay. */
export type Committed<Result> = { result: Result; sequence: number; replayed: boolean };

type Done = { outcome: "done"; resultJson: string; replayed: boolean };
type Undone =
  | { outcome: "rejected"; code: string; status: number; detail: string }
  | { outcome: "failed"; command: string; cause: string; stack: string }
  | { outcome: "refused"; reason: RefusalReason; detail: string };

/**
 * How one command of a group ended, in the writer thread. Data and no errors: an error does not travel between threads
 * with its class. What is done counts once its group is committed.
 */
export type WriteOutcome = Done | Undone;

/** The outcome of a request, for the main thread; `sequence` is the commit that holds what was done. */
export type WriteAnswer = { id: number } & ((Done & { sequence: number }) | Undone);

/** Makes the caller's result, or its error, from the writer thread's answer. */
export function readAnswer(answer: WriteAnswer): Committed<unknown> | Error {
  switch (answer.outcome) {
    case "done":
      return { result: JSON.parse(answer.resultJson), sequence: answer.sequence, replayed: answer.replayed };
    case "rejected":
      return new CommandRejected(answer.code, answer.status, answer.detail);
    case "failed":
      return new CommandFailed(answer.command, answer.cause, answer.stack);
    case "refused":
      return refuseWrite(answer.reason, answer.detail);
    default:
      return answer satisfies never;
  }
}

/** Makes the refusal for a reason, with the seconds after which trying again makes sense. */
export function refuseWrite(reason: RefusalReason, detail = details[reason]): WriteRefused {
  return new WriteRefused(reason, detail, retryAfterSeconds[reason]);
}

const retryAfterSeconds: Record<RefusalReason, number> = {
  "queue-full": 1,
  "wal-too-big": 10,
  "writer-stuck": 10,
  stopping: 5,
  fenced: 30,
  "disk-full": 30,
  busy: 1,
  "rolled-back": 1,
};

const details: Record<RefusalReason, string> = {
  "queue-full": "too many writes wait",
  "wal-too-big": "the WAL is full and waits to be reset; /ready and the log name who keeps it from that",
  "writer-stuck": "a write has waited too long; the log names the command that runs",
  stopping: "the server is stopping",
  fenced: "another machine holds the claim",
  "disk-full": "no space is left",
  busy: "another connection holds the write lock",
  "rolled-back": "SQLite rolled the whole group back",
};
