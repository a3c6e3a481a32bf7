/**
 * What an acknowledged write promises (README). The replication reaches `bucket`, after the writer has reached `disk`.
 */
export type Durability = "commit" | "disk" | "bucket";

/** The durabilities that the writer can reach. */
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

/** Nothing of this write was committed: the writer did not run it, or undid it. The client may try again. */
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

/** The writer ended before it could answer: the write was committed exactly once, or not at all. */
export class WriteOutcomeUnknown extends Error {
  constructor(cause: Error) {
    super("the writer ended before the write's outcome was known; repeat it with the same Idempotency-Key", { cause });
    this.name = "WriteOutcomeUnknown";
  }
}

/** A command refuses its input, for example with "not-found" and status 404. Nothing of the command is committed. */
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
 * A command threw. Nothing of it was committed; the other commands of its group were. The cause carries the writer
 * thread's stack into the log.
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

/**
 * A committed write: the command's result as JSON and parsed at each access, the commit that holds it, and whether it
 * is the stored result of an earlier request.
 */
export type Committed<Result> = {
  readonly resultJson: string;
  readonly result: Result;
  readonly sequence: number;
  readonly replayed: boolean;
};

type Done = { outcome: "done"; resultJson: string; replayed: boolean };
type Undone =
  | { outcome: "rejected"; code: string; status: number; detail: string }
  | { outcome: "failed"; command: string; cause: string; stack: string }
  | { outcome: "refused"; reason: RefusalReason; detail: string };

/**
 * How one command of a group ended, in the writer thread. Plain data, because an error loses its class between threads.
 * `done` counts only once the group is committed.
 */
export type WriteOutcome = Done | Undone;

/** The outcome of a request, as sent to the main thread. `sequence` is the commit that holds the write. */
export type WriteAnswer = { id: number } & ((Done & { sequence: number }) | Undone);

/** Parses the result only for those who look at it: an answer is sent as the JSON that it is. */
class ReadCommitted implements Committed<unknown> {
  readonly resultJson: string;
  readonly sequence: number;
  readonly replayed: boolean;

  constructor({ resultJson, sequence, replayed }: Omit<Committed<unknown>, "result">) {
    this.resultJson = resultJson;
    this.sequence = sequence;
    this.replayed = replayed;
  }

  get result(): unknown {
    return JSON.parse(this.resultJson);
  }
}

/** Turns the writer thread's answer into the caller's result or error. */
export function readAnswer(answer: WriteAnswer): Committed<unknown> | Error {
  switch (answer.outcome) {
    case "done":
      return new ReadCommitted(answer);
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

/** Makes the refusal for a reason, with the time after which a retry makes sense. */
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
  "queue-full": "too many writes are waiting",
  "wal-too-big": "the WAL is full and waits to be reset; /ready and the log name who keeps it from that",
  "writer-stuck": "a write has waited too long; the log names the command that runs",
  stopping: "the server is stopping",
  fenced: "another machine holds the claim",
  "disk-full": "no space is left",
  busy: "another connection holds the write lock",
  "rolled-back": "SQLite rolled the whole group back",
};
