import type Database from "better-sqlite3";

import { createCommitSequence, raiseCommitSequence } from "./commit-sequence.ts";
import { explainFailure } from "./explain-failure.ts";
import { SchemaGuard, watchStatements } from "./guard-schema.ts";
import { createIdempotencyTable, lacksIdempotencyColumns } from "./idempotency.ts";
import { createJobRuns, lacksJobColumns } from "./job-runs.ts";
import { type AppliedMigration, createHistory, readApplied, recordMigration } from "./migration-history.ts";
import {
  assertNumbered,
  describeMigration,
  type Migration,
  type MigrationNote,
  MigrationRefused,
} from "./migration.ts";
import { createOutbox } from "./outbox.ts";
import { findViolations } from "./schema.ts";
import { prepareStatement, runTransaction } from "./transaction.ts";

export type MigrationPlan = {
  pending: readonly Migration[];
  /** Migrations of a newer release, all of them additive, so that this release can serve beside them. */
  unknown: readonly AppliedMigration[];
  holdsData: boolean;
};

/**
 * Finds the missing migrations without writing. Throws MigrationRefused when the known ones are not numbered 1, 2, 3 …,
 * or when the database holds one that is renamed, out of order, or unknown here and not additive.
 */
export function planMigrations(db: Database.Database, migrations: readonly Migration[]): MigrationPlan {
  assertNumbered(migrations);
  const tables = readTableNames(db);
  const applied = tables.has("_migrations") ? readApplied(db) : [];
  for (const [index, row] of applied.entries()) assertTolerable(db, row, index, migrations);
  return {
    pending: migrations.slice(applied.length),
    unknown: applied.slice(migrations.length),
    holdsData: tables.size > 0,
  };
}

export type ApplyOptions = {
  /** Called before each step. */
  onStep?: (migration: MigrationNote) => void;
  /** Where the state before the first step can be restored from. Stored with the migrations that have run. */
  restorePoint?: string | null;
};

/**
 * Creates our own tables if they are missing and applies the migrations, all in one transaction. When one of them is a
 * rebuild, foreign keys are off throughout, and every reference is checked before COMMIT. Throws MigrationRefused when
 * another try would end the same way, Error otherwise.
 */
export function applyMigrations(
  db: Database.Database,
  migrations: readonly Migration[],
  { onStep, restorePoint = null }: ApplyOptions = {},
): void {
  const tables = readTableNames(db);
  const isUpToDate =
    ownTables.every((name) => tables.has(name)) && !lacksIdempotencyColumns(db) && !lacksJobColumns(db);
  if (migrations.length === 0 && isUpToDate) return;
  const rebuilds = migrations.filter(({ kind }) => kind === "rebuild");
  withForeignKeys(db, rebuilds.length === 0, () =>
    commitDurably(db, () => {
      createOwnTables(db);
      for (const migration of migrations) {
        const note = describeMigration(migration);
        onStep?.(note);
        explainFailure(note, () => applyMigration(db, migration, restorePoint));
      }
      for (const last of rebuilds.slice(-1))
        explainFailure(describeMigration(last), () => assertNoViolations(db, migrations.length > rebuilds.length));
    }),
  );
}

const ownTables = ["_lifeboat", "_migrations", "_idempotency", "_outbox", "_jobs"];

function assertTolerable(
  db: Database.Database,
  row: AppliedMigration,
  index: number,
  migrations: readonly Migration[],
): void {
  const known = migrations[index];
  if (row.number !== index + 1)
    throw new MigrationRefused(`${db.name} holds migration ${row.number} but not ${index + 1}; restore it`);
  if (known === undefined && row.kind !== "additive") {
    const point = row.restorePoint === null ? "" : `, or restore the state before it (${row.restorePoint})`;
    throw new MigrationRefused(
      `${db.name} holds migration ${row.number} "${row.name}", which this release does not know and which is not additive; deploy a newer one${point}`,
    );
  }
  if (known !== undefined && known.name !== row.name) {
    throw new MigrationRefused(
      `migration ${row.number} is "${row.name}" in ${db.name} and "${known.name}" here; undo the renaming`,
    );
  }
}

/** Makes the tables that the kit needs beside the product's, where they are missing. Runs inside a transaction. */
export function createOwnTables(db: Database.Database): void {
  createCommitSequence(db);
  createIdempotencyTable(db);
  createOutbox(db);
  createJobRuns(db);
  createHistory(db);
}

function applyMigration(db: Database.Database, migration: Migration, restorePoint: string | null): void {
  const note = describeMigration(migration);
  const guard = new SchemaGuard(db, note.kind);
  // Otherwise a rename fails on every view and trigger that mentions the table, and rewrites references that must stay.
  if (note.kind === "rebuild") db.pragma("legacy_alter_table = ON");
  try {
    runTransaction(
      db,
      watchStatements(migration.up(), () => guard.look()),
    );
  } finally {
    db.pragma("legacy_alter_table = OFF");
  }
  guard.finish();
  recordMigration(db, note, restorePoint);
}

function assertNoViolations(db: Database.Database, hasOthers: boolean): void {
  const { count, examples } = findViolations(db);
  if (count === 0) return;
  const hint = hasOthers ? " (foreign keys are off for all that are pending with a rebuild, so nothing cascaded)" : "";
  throw new MigrationRefused(`foreign_key_check finds ${count} violations${hint}: ${examples.join("; ")}`);
}

// SQLite ignores this pragma inside a transaction.
function withForeignKeys(db: Database.Database, areOn: boolean, run: () => void): void {
  if (areOn) return run();
  db.pragma("foreign_keys = OFF");
  try {
    run();
  } finally {
    db.pragma("foreign_keys = ON");
  }
  if (db.pragma("foreign_keys", { simple: true }) !== 1)
    throw new Error(`${db.name}: foreign keys did not come on again after a rebuild; start again`);
}

function commitDurably(db: Database.Database, write: () => void): void {
  db.pragma("synchronous = FULL");
  prepareStatement(db, "begin immediate").run();
  try {
    write();
    raiseCommitSequence(db);
    prepareStatement(db, "commit").run();
  } finally {
    if (db.inTransaction) prepareStatement(db, "rollback").run();
    // An additive step that failed leaves it on.
    db.pragma("recursive_triggers = OFF");
    db.pragma("synchronous = NORMAL");
  }
}

// Litestream adds its own tables, which say nothing about ours.
function readTableNames(db: Database.Database): Set<string> {
  const text = "select name from sqlite_schema where type = 'table' and name not like '\\_litestream\\_%' escape '\\'";
  return new Set(db.prepare<[], string>(text).pluck().all());
}
