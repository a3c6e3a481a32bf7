import { expect, test } from "vitest";

import { applyMigrations, planMigrations } from "../../app/database/migrate.ts";
import { MigrationRefused } from "../../app/database/migration.ts";
import { expectUntouched, migrate, openSchema, step } from "./schema-fixture.ts";

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

test("a migration that an older release recorded without a kind is not additive, and that release may go on writing", () => {
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

function refusingTrigger(): string {
  return "create trigger no before insert on parents begin select raise(abort, 'no'); end";
}
