import { CommandFailed, CommandRejected, type Committed, type RefusalReason, WriteRefused } from "./write-outcome.ts";
import type { WriteAnswer } from "./writer-messages.ts";

/** Makes the caller's result, or its error, from the writer thread's answer. */
export function readAnswer(answer: WriteAnswer): Committed<unknown> | Error {
  switch (answer.outcome) {
    case "committed":
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
