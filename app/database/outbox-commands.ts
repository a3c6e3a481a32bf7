import type { Command } from "./command.ts";
import { outboxTables } from "./outbox.ts";
import { query } from "./transaction.ts";
import { CommandRejected } from "./write-outcome.ts";

/** Deletes an effect that was performed. */
export const forgetPerformed: Command<{ id: string }> = {
  name: "_outbox-performed",
  *run({ id }) {
    yield* query(outboxTables.deleteFrom("_outbox").where("id", "=", id));
  },
};

/** Counts a failed try; the last one makes a dead letter. */
export const countFailure: Command<{ id: string; cause: string; isLast: boolean }> = {
  name: "_outbox-failed",
  *run({ id, cause, isLast }, { now }) {
    yield* query(
      outboxTables
        .updateTable("_outbox")
        .set(({ eb }) => ({
          attempts: eb("attempts", "+", 1),
          last_error: cause,
          dead_at: isLast ? now.getTime() : null,
        }))
        .where("id", "=", id),
    );
  },
};

/** Lets a dead letter be tried again from the first try on, under its old id. Rejects `not-found` (404). */
export const sendAgain: Command<{ id: string }, { id: string }> = {
  name: "_outbox-again",
  *run({ id }) {
    const revived = yield* query(
      outboxTables
        .updateTable("_outbox")
        .set({ attempts: 0, dead_at: null })
        .where("id", "=", id)
        .where("dead_at", "is not", null)
        .returning("id"),
    );
    if (revived.length === 0) throw new CommandRejected("not-found", 404, `There is no dead letter ${id}.`);
    return { id };
  },
};
