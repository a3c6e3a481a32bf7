import { expect, test } from "vitest";

import { applyMigrations } from "../../app/database/migrate.ts";
import { MigrationRefused } from "../../app/database/migration.ts";
import { count, expectUntouched, migrate, openSchema, settings, step } from "./schema-fixture.ts";

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
