import type Database from "better-sqlite3";

import { prepareStatement } from "./transaction.ts";
import { CommandRejected } from "./write-outcome.ts";

/** The caller's key, and what the request was: the same key with another fingerprint is a caller's mistake. */
export type Idempotency = { key: string; fingerprint: string };

/** How long a result is kept for replays. */
export const idempotencyRetentionMs = 7 * 24 * 3600 * 1000;

/**
 * Reads the stored result (JSON) of an earlier write with this key. Throws CommandRejected when that was another
 * request.
 */
export function findReplay(db: Database.Database, idempotency: Idempotency): string | undefined {
  const [row] = prepareStatement<{ fingerprint: string; result: string }>(db, findText).all(idempotency.key);
  if (row === undefined) return undefined;
  if (row.fingerprint === idempotency.fingerprint) return row.result;
  throw new CommandRejected(
    "idempotency-key-reused",
    422,
    "this Idempotency-Key was used for another request; send a new one",
  );
}

/** Stores a result beside the write itself, in the same savepoint. */
export function storeResult(db: Database.Database, idempotency: Idempotency, result: string, nowMs: number): void {
  prepareStatement(db, storeText).run(idempotency.key, idempotency.fingerprint, result, nowMs);
}

/** Deletes up to `limit` results that are older than the retention. */
export function pruneResults(db: Database.Database, limit: number, nowMs: number): void {
  prepareStatement(db, pruneText).run(nowMs - idempotencyRetentionMs, limit);
}

/** Makes the table where it is missing. */
export function createIdempotencyTable(db: Database.Database): void {
  db.exec(`
    create table if not exists _idempotency (
      key text primary key, fingerprint text not null, result text not null, created_at integer not null
    ) strict;
    create index if not exists _idempotency_created_at on _idempotency (created_at);`);
}

const findText = "select fingerprint, result from _idempotency where key = ?";
const storeText = "insert into _idempotency (key, fingerprint, result, created_at) values (?, ?, ?, ?)";
const pruneText =
  "delete from _idempotency where key in (select key from _idempotency where created_at < ? order by created_at limit ?)";
