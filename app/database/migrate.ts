import type Database from "better-sqlite3";

import { createCommitSequence, raiseCommitSequence } from "./commit-sequence.ts";
import { createIdempotencyTable } from "./idempotency.ts";
import type { Migration } from "./migration.ts";
import { prepareStatement, runTransaction } from "./transaction.ts";

export type MigrationPlan = { pending: readonly Migration[]; holdsData: boolean };

/**
 * Says which migrations are missing, without writing. Throws when the known ones are not numbered 1, 2, 3 …, and when
 * the database holds one that is unknown here (a newer release wrote it), renamed, or out of order.
 */
export function planMigrations(db: Database.Database, migrations: readonly Migration[]): MigrationPlan {
  for (const [index, migration] of migrations.entries()) {
    if (migration.number !== index + 1) {
      throw new Error(
        `migration "${migration.name}" has number ${migration.number}, expected ${index + 1}: number them without a gap`,
      );
    }
  }
  const tables = readTableNames(db);
  const applied = tables.has("_migrations") ? readApplied(db) : [];
  for (const [index, row] of applied.entries()) assertKnown(db, row, index, migrations);
  return { pending: migrations.slice(applied.length), holdsData: tables.size > 0 };
}

/** Makes our own tables where they are missing, then applies the migrations, each in a transaction of its own. */
export function applyMigrations(db: Database.Database, migrations: readonly Migration[]): void {
  const tables = readTableNames(db);
  if (!ownTables.every((name) => tables.has(name))) writeDurably(db, () => createOwnTables(db));
  for (const migration of migrations) {
    try {
      writeDurably(db, () => applyMigration(db, migration));
    } catch (error) {
      throw new Error(
        `migration ${migration.number} "${migration.name}" failed, nothing of it was kept; correct it and start again`,
        {
          cause: error,
        },
      );
    }
  }
}

type AppliedRow = { number: number; name: string };
const ownTables = ["_lifeboat", "_migrations", "_idempotency"];

function assertKnown(db: Database.Database, row: AppliedRow, index: number, migrations: readonly Migration[]): void {
  const known = migrations[index];
  if (row.number !== index + 1)
    throw new Error(`${db.name} holds migration ${row.number} but not ${index + 1}; restore it`);
  if (known === undefined) {
    throw new Error(
      `${db.name} holds migration ${row.number} "${row.name}", which this release does not know; deploy a newer one`,
    );
  }
  if (known.name !== row.name) {
    throw new Error(
      `migration ${row.number} is "${row.name}" in ${db.name} and "${known.name}" here; undo the renaming`,
    );
  }
}

function createOwnTables(db: Database.Database): void {
  createCommitSequence(db);
  createIdempotencyTable(db);
  db.exec(
    "create table if not exists _migrations (number integer primary key, name text not null, applied_at text not null) strict",
  );
}

function applyMigration(db: Database.Database, migration: Migration): void {
  runTransaction(db, migration.up());
  const appliedAt = new Date().toISOString();
  prepareStatement(db, "insert into _migrations values (?, ?, ?)").run(migration.number, migration.name, appliedAt);
}

function writeDurably(db: Database.Database, write: () => void): void {
  db.pragma("synchronous = FULL");
  prepareStatement(db, "begin immediate").run();
  try {
    write();
    raiseCommitSequence(db);
    prepareStatement(db, "commit").run();
  } finally {
    if (db.inTransaction) prepareStatement(db, "rollback").run();
    db.pragma("synchronous = NORMAL");
  }
}

function readApplied(db: Database.Database): AppliedRow[] {
  return db.prepare<[], AppliedRow>("select number, name from _migrations order by number").all();
}

// Litestream adds tables of its own, which say nothing about ours.
function readTableNames(db: Database.Database): Set<string> {
  const text = "select name from sqlite_schema where type = 'table' and name not like '\\_litestream\\_%' escape '\\'";
  return new Set(db.prepare<[], string>(text).pluck().all());
}
