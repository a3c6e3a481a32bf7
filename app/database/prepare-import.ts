import { existsSync, rmSync } from "node:fs";

import Database from "better-sqlite3";

import { createOwnTables, applyMigrations, planMigrations } from "./migrate.ts";
import { readApplied, recordMigration } from "./migration-history.ts";
import { describeMigration, type Migration } from "./migration.ts";
import { checkForeignKeys, fullCheck, openDatabase } from "./open-database.ts";
import { findSchemaDifferences } from "./schema-differences.ts";

/** What a database is that somebody brings. */
export type Brought = {
  pageBytes: number;
  encoding: string;
  journalMode: string;
  userVersion: number;
  triggers: string[];
  /** Whether a Lifeboat has written it, so that it says itself which migrations have run. */
  isOurs: boolean;
};

/** It cannot be taken in. The message says why, and what to do. */
export class ImportRefused extends Error {
  override readonly name = "ImportRefused";
}

/**
 * Looks at a database that somebody brings, without writing to it: integrity in full, foreign keys, and what is unusual
 * about it. Throws DatabaseDamaged, SqliteError when it is in use or none at all.
 */
export function inspectBrought(path: string): Brought {
  const db = new Database(path, { readonly: true, fileMustExist: true }); // not ours: it may be in any journal mode
  try {
    fullCheck(db);
    checkForeignKeys(db);
    const read = (pragma: string) => db.pragma(pragma, { simple: true });
    return {
      pageBytes: Number(read("page_size")),
      encoding: String(read("encoding")),
      journalMode: String(read("journal_mode")),
      userVersion: Number(read("user_version")),
      triggers: db
        .prepare<[], string>("select name from sqlite_schema where type = 'trigger' order by name")
        .pluck()
        .all(),
      isOurs: db.prepare("select 1 from sqlite_schema where name = '_migrations'").get() !== undefined,
    };
  } finally {
    db.close();
  }
}

type Preparation<Seen> = {
  source: string;
  target: string;
  migrations: readonly Migration[];
  /** Up to which migration the tables of a foreign database are there already. Null for one of a Lifeboat. */
  adopted: number | null;
  /** Where an empty database may be made to compare with. */
  scratch: string;
  /** Looks at the copy while it is open anyway: a reader would leave its files beside it. */
  look: (copy: Database.Database) => Seen;
};

/**
 * Copies a database page by page, adopts the product's schema at a migration, and runs the later ones on the copy, which
 * is complete and checked when this returns: one file without a WAL. Returns what `look` sees in it. The source stays as
 * it is. Throws ImportRefused,
 * MigrationRefused, DatabaseDamaged; then nothing is left of the copy.
 */
export async function prepareImport<Seen>(preparation: Preparation<Seen>): Promise<Seen> {
  const { source, target, migrations, adopted, scratch, look } = preparation;
  removeDatabase(target);
  try {
    const db = new Database(source, { readonly: true, fileMustExist: true }); // not ours: it may be in any journal mode
    await db.backup(target).finally(() => db.close());
    const copy = openDatabase(target, "writer");
    let seen: Seen;
    try {
      if (adopted !== null) adopt(copy, migrations.slice(0, adopted), scratch);
      applyMigrations(copy, planMigrations(copy, migrations).pending);
      fullCheck(copy);
      checkForeignKeys(copy);
      seen = look(copy);
    } finally {
      copy.close();
    }
    if (existsSync(`${target}-wal`))
      throw new ImportRefused(`another process has ${target} open; end it, and import again`);
    return seen;
  } catch (error) {
    removeDatabase(target);
    throw error;
  }
}

/** Records migrations as run whose tables are there already. */
function adopt(db: Database.Database, migrations: readonly Migration[], scratch: string): void {
  const differences = findSchemaDifferences(db, migrations, scratch);
  if (differences.length > 0)
    throw new ImportRefused(
      `its tables are not those after migration ${migrations.length}: ${differences.slice(0, mostDifferences).join("; ")}; ` +
        `change them in a copy of the file, or name another migration: --schema`,
    );
  db.exec("begin immediate");
  createOwnTables(db);
  for (const migration of migrations) recordMigration(db, describeMigration(migration), null);
  db.exec("commit");
  if (readApplied(db).length !== migrations.length) throw new Error(`${db.name} did not keep the adopted migrations`);
}

const mostDifferences = 8;

function removeDatabase(path: string): void {
  for (const suffix of ["", "-wal", "-shm", "-journal"]) rmSync(path + suffix, { force: true });
}
