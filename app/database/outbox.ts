import type Database from "better-sqlite3";

import type { Log } from "../log.ts";
import { nextId } from "./next-id.ts";
import { sqlBuilder } from "./sql.ts";
import { query, type Reading, type Transaction } from "./transaction.ts";

/** What a handler gets for one try. */
export type Delivery<Payload> = {
  /** The same for every try and on every machine. Give it to the receiver, who ignores an id that it has seen. */
  readonly id: string;
  readonly payload: Payload;
  /** When the command ran, by its machine's clock. */
  readonly sentAt: Date;
  /** 1 for the first try. */
  readonly attempt: number;
  /** Aborted when the try takes too long, and when the server stops or is fenced. */
  readonly signal: AbortSignal;
  readonly log: Log;
};

/** Performs one kind of side effect. A try that throws is repeated later. */
export type OutboxHandler<Payload = never> = {
  readonly name: string;
  readonly perform: (delivery: Delivery<Payload>) => Promise<void>;
};

/** Names a handler. The name is stored with each effect, so a renamed handler does not get the effects that wait. */
export function defineHandler<Payload>(
  name: string,
  perform: OutboxHandler<Payload>["perform"],
): OutboxHandler<Payload> {
  return { name, perform };
}

/** Finds handlers by name. Throws Error when two have the same one. */
export function indexHandlers(handlers: readonly OutboxHandler[]): ReadonlyMap<string, OutboxHandler> {
  const byName = new Map<string, OutboxHandler>();
  for (const handler of handlers) {
    if (byName.has(handler.name))
      throw new Error(`two outbox handlers are named "${handler.name}"; give each its own name`);
    byName.set(handler.name, handler);
  }
  return byName;
}

/** What a command needs to send: the names of the handlers, and a callback for each effect. */
export type OutboxDoor = { handlers: ReadonlySet<string>; onSend: () => void };

/**
 * Records a side effect in the transaction of its command, to be performed once the commit is in the bucket. Returns
 * its id.
 */
export function* sendEffect(handler: string, payload: unknown, nowMs: number): Transaction<string> {
  const text: string | undefined = JSON.stringify(payload);
  if (text === undefined) throw new Error(`what is sent to "${handler}" has no JSON form`);
  const id = yield* nextId("_outbox", nowMs);
  yield* query(
    outboxTables.insertInto("_outbox").values({ id, handler, payload: text, created_at: nowMs, attempts: 0 }),
  );
  return id;
}

/** One side effect that has not been performed. */
export type PendingEffect = { id: string; payload: string; created_at: number; attempts: number };

/** Reads the oldest effects of a handler that were never tried, oldest first. */
export function* readUntried(handler: string, limit: number): Reading<PendingEffect[]> {
  return yield* query(pendingOf(handler).where("attempts", "=", 0).orderBy("id").limit(limit));
}

/** Reads those of these effects that still wait, in the order of the ids. */
export function* readWaiting(handler: string, ids: readonly string[]): Reading<PendingEffect[]> {
  const found: PendingEffect[] = [];
  for (const id of ids) found.push(...(yield* query(pendingOf(handler).where("id", "=", id))));
  return found;
}

/** Reads the ids of a handler's oldest effects that failed and will be tried again. */
export function* readTried(handler: string, limit: number): Reading<string[]> {
  const rows = yield* query(pendingOf(handler).where("attempts", ">", 0).orderBy("id").limit(limit));
  return rows.map(({ id }) => id);
}

/** Why the effect of this handler failed last that was tried most, of those that wait; null when none has failed. */
export function* readWaitingCause(handler: string): Reading<string | null> {
  const failed = pendingOf(handler).clearSelect().select("last_error").where("attempts", ">", 0);
  const [row] = yield* query(failed.orderBy("attempts", "desc").orderBy("id", "desc").limit(1));
  return row?.last_error ?? null;
}

export type OutboxState = {
  pending: { handler: string; count: number; oldestSentAt: string }[];
  /** How many effects were given up. */
  deadLetters: number;
};

/** Counts the effects that wait, by handler, and those that were given up. */
export function* readOutboxState(): Reading<OutboxState> {
  const waiting = yield* query(
    outboxTables
      .selectFrom("_outbox")
      .select(({ fn }) => ["handler", fn.countAll<number>().as("count"), fn.min("created_at").as("oldest")])
      .where("dead_at", "is", null)
      .groupBy("handler")
      .orderBy("handler"),
  );
  const [dead] = yield* query(
    outboxTables
      .selectFrom("_outbox")
      .select(({ fn }) => fn.countAll<number>().as("count"))
      .where("dead_at", "is not", null),
  );
  const pending = waiting.map(({ handler, count, oldest }) => ({
    handler,
    count,
    oldestSentAt: new Date(oldest).toISOString(),
  }));
  return { pending, deadLetters: dead?.count ?? 0 };
}

type DeadLetterSlice = { after?: string | undefined; limit: number };

export type DeadLetter = {
  id: string;
  handler: string;
  payload: unknown;
  sentAt: string;
  deadAt: string;
  attempts: number;
  lastError: string | null;
};

/** Lists the effects that were given up, from the id `after` on. */
export function* listDeadLetters({ after = "", limit }: DeadLetterSlice): Reading<DeadLetter[]> {
  const dead = outboxTables.selectFrom("_outbox").selectAll().where("dead_at", "is not", null).where("id", ">", after);
  const rows = yield* query(dead.orderBy("id").limit(limit));
  return rows.map(({ id, handler, payload, attempts, ...row }) => ({
    id,
    handler,
    payload: JSON.parse(payload),
    sentAt: new Date(row.created_at).toISOString(),
    deadAt: new Date(row.dead_at ?? 0).toISOString(),
    attempts,
    lastError: row.last_error,
  }));
}

/** Makes the table if it is missing. An older release that comes back ignores it. */
export function createOutbox(db: Database.Database): void {
  db.exec(`
    create table if not exists _outbox (
      id text primary key not null, handler text not null, payload text not null, created_at integer not null,
      attempts integer not null, last_error text, dead_at integer
    ) strict;
    create index if not exists _outbox_pending on _outbox (handler, attempts, id) where dead_at is null;
    create index if not exists _outbox_dead on _outbox (id) where dead_at is not null`);
}

type OutboxTable = {
  id: string;
  handler: string;
  payload: string;
  created_at: number;
  attempts: number;
  last_error?: string | null;
  dead_at?: number | null;
};

/** Statements about the outbox start here. */
export const outboxTables = sqlBuilder<{
  _outbox: OutboxTable & { last_error: string | null; dead_at: number | null };
}>();

function pendingOf(handler: string) {
  return outboxTables
    .selectFrom("_outbox")
    .select(["id", "payload", "created_at", "attempts"])
    .where("handler", "=", handler)
    .where("dead_at", "is", null);
}
