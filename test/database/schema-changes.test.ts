import { join } from "node:path";

import type Database from "better-sqlite3";
import { sql } from "kysely";
import { expect, test } from "vitest";

import { applyMigrations, planMigrations } from "../../app/database/migrate.ts";
import { type Migration, type MigrationKind, MigrationRefused } from "../../app/database/migration.ts";
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
const twelveSteps = [
  "create table new_parents (id text primary key, name text not null, email text) strict",
  "insert into new_parents select id, name, null from parents",
  "drop table parents",
  "alter table new_parents rename to parents",
  "create index parents_name on parents (name)",
];

test("a rebuild keeps children, indexes, views and triggers, and foreign keys are on again", () => {
  using fixture = openSchema();
  const { db } = fixture;
  migrate(db, "rebuild", twelveSteps);
  expect(count(db, "children")).toBe(2);
  expect(db.prepare("select count(*) from names").pluck().get()).toBe(2);
  expect(settings(db)).toEqual([1, 0, 0]);
  expect(() => db.exec("insert into children values ('c3', 'nobody')")).toThrow(/FOREIGN KEY/);
  db.exec("insert into children values ('c3', 'p1')");
  expect(db.prepare("select name from parents where id = 'p1'").pluck().get()).toBe("touched");
});

test("the same statements in the plain form are refused, and no child is lost", () => {
  using fixture = openSchema();
  const { db } = fixture;
  expect(() => migrate(db, "plain", twelveSteps)).toThrow(/drops parents, which children refers to.*kind "rebuild"/);
  expectUntouched(db);
});

test.each(["set null", "set default", "restrict", "no action"])(
  "a plain drop is refused with on delete %s",
  (action) => {
    using fixture = openSchema();
    const { db } = fixture;
    db.exec(`drop table children; create table children (id text primary key, parent text references parents (id)
    on delete ${action}); insert into children values ('c1', 'p1'), ('c2', 'p2')`);
    expect(() => migrate(db, "plain", ["drop view names", "drop table parents"])).toThrow(/kind "rebuild"/);
    expectUntouched(db);
  },
);

test.each([
  ["a child without rows", ["delete from children", "drop table parents"], /which children refers to/],
  ["a parent's unique index", ["drop index code"], /foreign key mismatch/],
  ["a view that lost its column", ["drop index parents_name", "drop view names", brokenView()], /error in view names/],
])("a plain migration is refused for %s", (_, statements, message) => {
  using fixture = openSchema();
  const { db } = fixture;
  db.exec(`create table codes (code text); create unique index code on codes (code);
    create table uses (code text references codes (code))`);
  expect(() => migrate(db, "plain", statements)).toThrow(message);
  expectUntouched(db);
});

test("a plain migration may rename a parent, and drop a child and then its parent", () => {
  using fixture = openSchema();
  const { db } = fixture;
  migrate(db, "plain", ["alter table parents rename to elders"]);
  expect(count(db, "children")).toBe(2);
  expect(() => db.exec("insert into children values ('c3', 'nobody')")).toThrow(/FOREIGN KEY/);
  migrate(db, "plain", ["drop table children", "drop view names", "drop table elders"]);
});

test.each([
  [
    "rows that refer to nothing",
    twelveSteps.with(1, "insert into new_parents select id, name, null from parents where id = 'p1'"),
    /foreign_key_check finds 1 violations: children row 2 refers to no row of parents/,
  ],
  [
    "an index that is not made again",
    twelveSteps.slice(0, -1),
    /index parents_name of parents went with the old table/,
  ],
  [
    "a trigger that is not made again",
    [
      "create table new_children (id text primary key, parent text references parents (id)) strict",
      "insert into new_children select * from children",
      "drop table children",
      "alter table new_children rename to children",
    ],
    /trigger touch of children went with the old table/,
  ],
  ["a table that is not put back", twelveSteps.slice(0, 3), /children refers to table parents, which is not there/],
  ["a rename of a parent", ["alter table parents rename to elders"], /children refers to table parents/],
  ["a statement that fails", [...twelveSteps, "insert into nowhere values (1)"], /no such table/],
])("a rebuild is refused for %s, and nothing is kept", (_, statements, message) => {
  using fixture = openSchema();
  const { db } = fixture;
  expect(() => migrate(db, "rebuild", statements)).toThrow(message);
  expectUntouched(db);
});

test("a plain migration that relies on a cascade is refused beside a rebuild, and nothing is lost", () => {
  using fixture = openSchema();
  const { db } = fixture;
  const pending = [step(2, "plain", ["delete from parents where id = 'p2'"]), step(3, "rebuild", twelveSteps)];
  expect(() => applyMigrations(db, pending)).toThrow(/1 violations \(foreign keys are off for all/);
  expectUntouched(db);
});

test("the release before serves after additive migrations, and refuses after any other", () => {
  using fixture = openSchema();
  const { db } = fixture;
  const older = [step(1, "plain", [])];
  db.exec("create table checked (a text, check (a <> ''))");
  migrate(db, "additive", [
    "alter table parents add column email text",
    "alter table parents add column level integer not null default 1",
    "update parents set email = name || '@example.test'",
    "create table pets (id text primary key, owner text references parents (id)) strict",
    "create index pets_of_owner on pets (owner)",
    "create index parents_level on parents (level)",
    "insert into parents values ('p3', 'three', null, 2)",
    "delete from pets",
    "alter table checked add column b text",
  ]);
  expect(planMigrations(db, older)).toMatchObject({ pending: [], unknown: [{ number: 2, kind: "additive" }] });
  db.exec("update parents set name = 'free again'; delete from parents where id = 'p3'");
  applyMigrations(db, [step(3, "plain", [])], { restorePoint: "epoch 0001-x, TXID 9" });
  expect(() => planMigrations(db, older)).toThrow(
    /migration 3 .*not additive; deploy a newer one, or restore .*TXID 9/,
  );
  expect(() => planMigrations(db, older)).toThrow(MigrationRefused);
});

test("what an older release wrote without a kind is not additive, and it may go on writing", () => {
  using fixture = openSchema();
  const { db } = fixture;
  db.exec("drop table _migration_kinds");
  db.exec("insert into _migrations values (2, 'older', 'then')");
  expect(() => planMigrations(db, [step(1, "plain", [])])).toThrow(/not additive/);
  applyMigrations(db, [step(3, "additive", [])]);
  db.exec("insert into _migrations values (4, 'older', 'then')");
  expect(() =>
    planMigrations(
      db,
      [1, 2, 3].map((number) => step(number, "plain", [])),
    ),
  ).toThrow(/"step 2"|not additive/);
});

test.each([
  ["deletes rows", ["delete from children where id = 'c1'"], /deletes rows of table children/],
  ["replaces a row", ["insert or replace into children values ('c1', 'p2')"], /deletes rows of table children/],
  ["lets a delete cascade", ["delete from parents where id = 'p1'"], /deletes rows/],
  ["changes an old column", ["update parents set name = 'x'"], /changes a column of table parents/],
  ["drops a table", ["drop table children"], /table children is gone/],
  ["drops a view", ["drop view names"], /view names is gone/],
  ["drops an index", ["drop index parents_name"], /index parents_name is gone/],
  ["drops a column", ["alter table pens drop column colour"], /columns of table pens/],
  ["renames a column", ["alter table parents rename column name to title"], /columns of table parents/],
  ["renames a table", ["alter table children rename to kids"], /table children is gone/],
  ["forbids by a unique index", ["create unique index u on parents (name)"], /new rule in index u/],
  ["forbids by an expression", ["create index u on parents (lower(name))"], /new rule in index u/],
  ["forbids by a trigger", [refusingTrigger()], /new trigger no/],
  ["forbids by a check", ["alter table pens add column n text check (colour <> 'red')"], /pens has a new check/],
  ["demands a column", ["delete from pens", "alter table pens add column ink text not null"], /without a default/],
])("an additive migration that %s is refused", (_, statements, message) => {
  using fixture = openSchema();
  const { db } = fixture;
  db.exec("create table pens (id text, colour text, check (id <> ''))");
  expect(() => migrate(db, "additive", statements)).toThrow(message);
  expectUntouched(db);
  db.exec("delete from pens; delete from children; update parents set name = 'x'");
});

test("a migration that fills the disk says so, keeps nothing, and runs when there is room", () => {
  using fixture = openSchema();
  const { db } = fixture;
  const pages = db.pragma("page_count", { simple: true });
  db.pragma(`max_page_count = ${Number(pages) + 20}`);
  const fill = ["create table big (body blob)", "insert into big values (randomblob(1000000))"];
  const failed = (): void => migrate(db, "plain", fill);
  expect(failed).toThrow(/nothing of it was kept.*disk is full; make room for about twice the size of the database/);
  expect(failed).not.toThrow(MigrationRefused);
  expectUntouched(db);
  db.pragma("max_page_count = 100000");
  migrate(db, "plain", fill);
  expect(count(db, "big")).toBe(1);
});

function brokenView(): string {
  return "create view names as select nickname from parents";
}

function refusingTrigger(): string {
  return "create trigger no before insert on parents begin select raise(abort, 'no'); end";
}

function migrate(db: Database.Database, kind: MigrationKind, statements: readonly string[]): void {
  const number = db.prepare<[], number>("select max(number) + 1 from _migrations").pluck().get() ?? 0;
  applyMigrations(db, [step(number, kind, statements)]);
}

function step(number: number, kind: MigrationKind, statements: readonly string[]): Migration {
  function* up(): Transaction<void> {
    for (const statement of statements) yield sql.raw(statement).compile(notes);
  }
  return { number, name: `step ${number}`, kind, up };
}

function expectUntouched(db: Database.Database): void {
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

function settings(db: Database.Database): unknown[] {
  return ["foreign_keys", "legacy_alter_table", "recursive_triggers"].map((name) => db.pragma(name, { simple: true }));
}

function count(db: Database.Database, table: string): unknown {
  return db.prepare(`select count(*) from ${table}`).pluck().get();
}

function openSchema(): Disposable & { db: Database.Database } {
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
