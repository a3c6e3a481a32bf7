import type Database from "better-sqlite3";

import type { MigrationKind, MigrationNote } from "./migration.ts";
import { prepareStatement } from "./transaction.ts";

/** A migration that has run. A row of an older release has no kind and counts as plain. */
export type AppliedMigration = { number: number; name: string; kind: MigrationKind; restorePoint: string | null };

/** Reads the migrations that have run, in order. */
export function readApplied(db: Database.Database): AppliedMigration[] {
  const hasKinds = db.prepare("select 1 from sqlite_schema where name = '_migration_kinds'").get() !== undefined;
  return db.prepare<[], AppliedMigration>(hasKinds ? withKinds : withoutKinds).all();
}

/** Creates the tables if they are missing. */
export function createHistory(db: Database.Database): void {
  // A separate table, because older releases write three columns to _migrations and must still be able to.
  db.exec(`create table if not exists _migrations (
      number integer primary key, name text not null, applied_at text not null
    ) strict;
    create table if not exists _migration_kinds (
      number integer primary key, kind text not null, restore_point text
    ) strict`);
}

/**
 * Records that a migration has run, in the same transaction. `restorePoint` is where the state before it can be
 * restored from.
 */
export function recordMigration(
  db: Database.Database,
  { number, name, kind }: MigrationNote,
  restorePoint: string | null,
): void {
  const appliedAt = new Date().toISOString();
  prepareStatement(db, "insert into _migrations values (?, ?, ?)").run(number, name, appliedAt);
  prepareStatement(db, "insert or replace into _migration_kinds values (?, ?, ?)").run(number, kind, restorePoint);
}

const withoutKinds = `select number, name, 'plain' as kind, null as restorePoint from _migrations order by number`;
const withKinds = `select number, name, coalesce(kind, 'plain') as kind, restore_point as restorePoint
  from _migrations left join _migration_kinds using (number) order by number`;
