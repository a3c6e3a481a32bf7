import { join } from "node:path";

import type Database from "better-sqlite3";
import { expect, test } from "vitest";

import { readCommitSequence } from "../../app/database/commit-sequence.ts";
import { applyMigrations, planMigrations } from "../../app/database/migrate.ts";
import type { Migration } from "../../app/database/migration.ts";
import { openDatabase } from "../../app/database/open-database.ts";
import { query, type Transaction } from "../../app/database/transaction.ts";
import { notes } from "./notes.ts";
import { makeTemporaryDirectory } from "./temporary-directory.ts";

const first = makeMigration(1, "one");
const second = makeMigration(2, "two");
const third = makeMigration(3, "three");

test("migrations run in order, each raises the commit sequence with a new token, and none runs twice", () => {
  using fixture = openEmpty();
  const { db } = fixture;
  expect(planMigrations(db, [first, second])).toEqual({ pending: [first, second], unknown: [], holdsData: false });
  applyMigrations(db, [first]);
  const before = readCommitSequence(db);
  applyMigrations(db, planMigrations(db, [first, second]).pending);
  const after = readCommitSequence(db);
  expect(after.sequence).toBe(before.sequence + 1);
  expect(after.token).toMatch(/^[0-9a-f]{16}$/);
  expect(after.token).not.toBe(before.token);
  expect(planMigrations(db, [first, second])).toEqual({ pending: [], unknown: [], holdsData: true });
  applyMigrations(db, []);
  expect(readCommitSequence(db)).toEqual(after);
  expect(tableNames(db)).toEqual(expect.arrayContaining(["one", "two"]));
});

test("a failing migration leaves nothing of itself and nothing of those pending with it", () => {
  using fixture = openEmpty();
  const { db } = fixture;
  const broken: Migration = { number: 2, name: "two", up: failHalfWay };
  expect(() => applyMigrations(db, [first, broken, third])).toThrow(/migration 2 "two" failed, nothing of it was kept/);
  expect(db.inTransaction).toBe(false);
  expect(tableNames(db)).toEqual([]);
  expect(planMigrations(db, [first, second, third]).pending).toEqual([first, second, third]);
});

test.each([
  ["a gap in the numbers", [first, third], /number 3, expected 2/],
  ["a number used twice", [first, first], /number 1, expected 2/],
  ["a wrong order", [second, first], /number 2, expected 1/],
])("%s is refused before anything runs", (_, migrations, message) => {
  using fixture = openEmpty();
  expect(() => planMigrations(fixture.db, migrations)).toThrow(message);
  expect(tableNames(fixture.db)).toEqual([]);
});

test("a database of a newer release is refused", () => {
  using fixture = openEmpty();
  applyMigrations(fixture.db, [first, second]);
  expect(() => planMigrations(fixture.db, [first])).toThrow(
    /holds migration 2 "two", which this release does not know/,
  );
});

test("a renamed migration is refused", () => {
  using fixture = openEmpty();
  applyMigrations(fixture.db, [first, second]);
  expect(() => planMigrations(fixture.db, [first, makeMigration(2, "deux")])).toThrow(/is "two" in .* and "deux" here/);
});

test("a database with a missing migration is refused", () => {
  using fixture = openEmpty();
  applyMigrations(fixture.db, [first, second, third]);
  fixture.db.exec("delete from _migrations where number = 2");
  expect(() => planMigrations(fixture.db, [first, second, third])).toThrow(/holds migration 3 but not 2/);
});

test("Litestream's own tables are not taken for data", () => {
  using fixture = openEmpty();
  fixture.db.exec("create table _litestream_seq (id integer)");
  expect(planMigrations(fixture.db, [first]).holdsData).toBe(false);
  fixture.db.exec("create table foreign_data (id integer)");
  expect(planMigrations(fixture.db, [first]).holdsData).toBe(true);
});

function makeMigration(number: number, name: string): Migration {
  return { number, name, up: () => createTable(name) };
}

function* createTable(name: string): Transaction<void> {
  yield* query(notes.schema.createTable(name).addColumn("id", "integer"));
}

function* failHalfWay(): Transaction<void> {
  yield* createTable("two");
  yield* query(notes.insertInto("notes").values({ id: "there is", body: "no such table" }));
}

function tableNames(db: Database.Database): string[] {
  return db.prepare<[], string>("select name from sqlite_schema where type = 'table'").pluck().all();
}

function openEmpty(): Disposable & { db: Database.Database } {
  const directory = makeTemporaryDirectory();
  const db = openDatabase(join(directory.path, "app.db"), "writer");
  return {
    db,
    [Symbol.dispose]: () => {
      db.close();
      directory[Symbol.dispose]();
    },
  };
}
