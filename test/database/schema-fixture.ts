import { join } from "node:path";

import type Database from "better-sqlite3";
import { sql } from "kysely";
import { expect } from "vitest";

import { applyMigrations } from "../../app/database/migrate.ts";
import type { Migration, MigrationKind } from "../../app/database/migration.ts";
import { openDatabase } from "../../app/database/open-database.ts";
import type { Transaction } from "../../app/database/transaction.ts";
import { notes } from "./notes.ts";
import { makeTemporaryDirectory } from "./temporary-directory.ts";

const schema = [
  "create table parents (id text primary key, name text) strict",
  `create table children (id text primary key, parent text references parents (id) on delete cascade) strict`,
  "create index parents_name on parents (name)",
  "create view names as select name from parents",
  "create trigger touch after insert on children begin update parents set name = 'touched' where id = new.parent; end",
  "insert into parents values ('p1', 'one'), ('p2', 'two')",
  "insert into children values ('c1', 'p1'), ('c2', 'p2')",
];

/** Applies one more step, made of these statements. */
export function migrate(db: Database.Database, kind: MigrationKind, statements: readonly string[]): void {
  const number = db.prepare<[], number>("select max(number) + 1 from _migrations").pluck().get() ?? 0;
  applyMigrations(db, [step(number, kind, statements)]);
}

/** A step made of these statements. */
export function step(number: number, kind: MigrationKind, statements: readonly string[]): Migration {
  function* up(): Transaction<void> {
    for (const statement of statements) yield sql.raw(statement).compile(notes);
  }
  return { number, name: `step ${number}`, kind, up };
}

/** Nothing of a step was kept, and the connection is as it was. */
export function expectUntouched(db: Database.Database): void {
  expect(db.inTransaction).toBe(false);
  expect(db.prepare("select id, parent from children order by id").raw().all()).toEqual([
    ["c1", "p1"],
    ["c2", "p2"],
  ]);
  expect(db.prepare("select * from parents order by id").raw().all()).toEqual([
    ["p1", "one"],
    ["p2", "two"],
  ]);
  expect(db.prepare("select max(number) from _migrations").pluck().get()).toBe(1);
  expect(settings(db)).toEqual([1, 0, 0]);
}

/** What a step may switch and has to put back. */
export function settings(db: Database.Database): unknown[] {
  return ["foreign_keys", "legacy_alter_table", "recursive_triggers"].map((name) => db.pragma(name, { simple: true }));
}

/** How many rows a table has. */
export function count(db: Database.Database, table: string): unknown {
  return db.prepare(`select count(*) from ${table}`).pluck().get();
}

/** A database with a parent, a child that cascades, an index, a view and a trigger. */
export function openSchema(): Disposable & { db: Database.Database } {
  const directory = makeTemporaryDirectory();
  const db = openDatabase(join(directory.path, "app.db"), "writer");
  applyMigrations(db, [step(1, "plain", schema)]);
  db.exec("update parents set name = case id when 'p1' then 'one' else 'two' end");
  return {
    db,
    [Symbol.dispose]: () => {
      db.close();
      directory[Symbol.dispose]();
    },
  };
}
