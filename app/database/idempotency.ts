import type Database from "better-sqlite3";

import { prepareStatement } from "./transaction.ts";
import { CommandRejected } from "./write-outcome.ts";

/**
 * The caller's key and a fingerprint of the request: the same key with another fingerprint is a mistake of the caller.
 * Each principal has its own keys. Neither its name nor a key contains a blank.
 */
export type Idempotency = { key: string; fingerprint: string; principal?: string };

/** How long a result is kept for replays, in running time. */
export const idempotencyRetentionMs = 7 * 24 * 3600 * 1000;

/**
 * Reads the stored result (JSON) of an earlier write with this key. Throws CommandRejected when that was another
 * request.
 */
export function findReplay(db: Database.Database, idempotency: Idempotency): string | undefined {
  const row = findRow(db, idempotency);
  if (row === undefined) return undefined;
  if (row.fingerprint === idempotency.fingerprint) return row.result;
  throw new CommandRejected(
    "idempotency-key-reused",
    422,
    "this Idempotency-Key was used for another request; send a new one",
  );
}

/** The error for a replay-only request that finds no stored result: see isNothingToReplay. */
export function nothingToReplay(): CommandRejected {
  return new CommandRejected(nothingToReplayCode, 409, "no write was made with this Idempotency-Key");
}

/** Whether the error says that a replay-only request found no stored result. */
export function isNothingToReplay(error: unknown): boolean {
  return error instanceof CommandRejected && error.code === nothingToReplayCode;
}

const nothingToReplayCode = "nothing-to-replay";

/** The wall clock, which may be wrong, and the running time, which never jumps. */
export type StoredAt = { nowMs: number; runningMs: number };

/** Stores a result in the same savepoint as the write itself. */
export function storeResult(db: Database.Database, idempotency: Idempotency, result: string, at: StoredAt): void {
  const { key, fingerprint, principal } = idempotency;
  const isTaken = prepareStatement(db, findText).all(key, key).length > 0;
  const storedKey = isTaken ? ownKey(idempotency) : key;
  prepareStatement(db, storeText).run(storedKey, fingerprint, result, at.nowMs, at.runningMs, principal ?? null);
}

type StoredRow = { principal: string | null; fingerprint: string; result: string };

// A row without a principal comes from an older release or from a request without one: any caller may have made it.
function findRow(db: Database.Database, idempotency: Idempotency): StoredRow | undefined {
  const { key, principal = null } = idempotency;
  const rows = prepareStatement<StoredRow>(db, findText).all(key, ownKey(idempotency));
  return rows.find((row) => row.principal === principal) ?? rows.find((row) => row.principal === null);
}

// The first caller gets the plain key, so that an older release finds it after a rollback.
function ownKey({ key, principal = "" }: Idempotency): string {
  return `${principal} ${key}`;
}

/**
 * Deletes up to `limit` results older than the retention, measured in running time. The retention of a row without that
 * time, from an older release, starts now, because the clock that it was written by is unknown.
 */
export function pruneResults(db: Database.Database, limit: number, runningMs: number): void {
  prepareStatement(db, pruneText).run(runningMs - idempotencyRetentionMs, limit);
  prepareStatement(db, stampText).run(runningMs, limit);
}

/**
 * Makes the clock by which results age. It continues from the newest stored result and counts only while the process
 * runs. So a wrong wall clock cannot age a result, and errors keep results longer, never shorter.
 */
export function makeRunningClock(db: Database.Database, monotonicMs: () => number): () => number {
  let start: { runningMs: number; monotonicMs: number } | undefined;
  return () => {
    start ??= { runningMs: readNewestRunningMs(db), monotonicMs: monotonicMs() };
    return start.runningMs + Math.max(0, Math.floor(monotonicMs() - start.monotonicMs));
  };
}

/** Whether createIdempotencyTable has to change something. */
export function lacksIdempotencyColumns(db: Database.Database): boolean {
  const columns = readColumns(db);
  return addedColumns.some(({ name }) => !columns.has(name));
}

/**
 * Creates the table if it is missing and adds columns that a table of an older release lacks. They are nullable and
 * come last, so that the older release can still read and write after a rollback.
 */
export function createIdempotencyTable(db: Database.Database): void {
  db.exec(`
    create table if not exists _idempotency (
      key text primary key, fingerprint text not null, result text not null, created_at integer not null
    ) strict;
    create index if not exists _idempotency_created_at on _idempotency (created_at);`);
  const columns = readColumns(db);
  for (const { name, type } of addedColumns) {
    if (!columns.has(name)) db.exec(`alter table _idempotency add column ${name} ${type}`);
  }
  db.exec("create index if not exists _idempotency_kept_from on _idempotency (kept_from)");
}

const addedColumns = [
  { name: "kept_from", type: "integer" },
  { name: "principal", type: "text" },
];

function readColumns(db: Database.Database): Set<string> {
  return new Set(db.prepare<[], string>("select name from pragma_table_info('_idempotency')").pluck().all());
}

function readNewestRunningMs(db: Database.Database): number {
  const [row] = prepareStatement<{ newest: number | null }>(db, newestText).all();
  return row?.newest ?? 0;
}

const findText = "select principal, fingerprint, result from _idempotency where key in (?, ?)";
const storeText =
  "insert into _idempotency (key, fingerprint, result, created_at, kept_from, principal) values (?, ?, ?, ?, ?, ?)";
const newestText = "select max(kept_from) as newest from _idempotency";
const pruneText =
  "delete from _idempotency where key in (select key from _idempotency where kept_from < ? order by kept_from limit ?)";
const stampText =
  "update _idempotency set kept_from = ? where key in (select key from _idempotency where kept_from is null limit ?)";
