import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import Sqlite from "better-sqlite3";
import { afterAll, beforeAll, expect, test, vi } from "vitest";

import { Refused } from "../../app/cli/command-line.ts";
import { UsageError } from "../../app/cli/flags.ts";
import { readDatabase } from "../../app/database/open-database.ts";
import { importCommand, importDatabase } from "../../app/verbs/import.ts";
import { step } from "../database/schema-fixture.ts";
import type { TestMachine } from "../replica/test-machine.ts";
import { World } from "../replica/world.ts";

const notes = "create table notes (id integer primary key, text text not null) strict";
const migrations = [step(1, "plain", [notes]), step(2, "additive", ["alter table notes add column stars integer"])];

let world: World;
let folder: string;
let said: string[];
beforeAll(async () => {
  world = await World.open();
  folder = mkdtempSync(join(tmpdir(), "lifeboat-import-test-"));
  said = [];
  vi.spyOn(process.stdout, "write").mockImplementation((text) => said.push(String(text)) > 0);
  vi.spyOn(process.stderr, "write").mockImplementation(() => true);
});
afterAll(async () => {
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true });
  await world[Symbol.asyncDispose]();
});

let made = 0;
/** A file that somebody has from elsewhere. */
function bring(...texts: string[]): string {
  made += 1;
  const path = join(folder, `brought-${made}.db`);
  const db = new Sqlite(path);
  for (const text of texts) db.exec(text);
  db.close();
  return path;
}

const foreign = () =>
  bring(
    "pragma page_size = 8192",
    "pragma user_version = 7",
    "create table notes(id INTEGER PRIMARY KEY, text TEXT NOT NULL) strict",
    "insert into notes values (1, 'brought'), (2, 'too')",
    "create table attic (thing)",
    "create trigger noted after insert on notes begin select 1; end",
  );

async function makeEmpty(): Promise<TestMachine> {
  const a = world.newMachine(await world.makeSite());
  await a.liveAndStop([]);
  return a;
}

async function type(a: TestMachine, ...words: string[]): Promise<Record<string, unknown>> {
  said.length = 0;
  await importDatabase(importCommand.readArguments([...words, "--json"]), a.machine, migrations);
  const report: Record<string, unknown> = JSON.parse(said.at(-1) ?? "");
  return report;
}

test("a database from elsewhere adopts the product's schema, and is served after the next boot", async () => {
  const a = await makeEmpty();
  const file = foreign();
  expect(await type(a, file, "--schema", "1", "--yes")).toMatchObject({
    isDone: false,
    pageBytes: 8192,
    userVersion: 7,
    journalMode: "delete",
    triggers: ["noted"],
    tables: [
      { table: "attic", rows: 0 },
      { table: "notes", rows: 2 },
    ],
  });
  expect(await a.boot()).toMatchObject({ outcome: "claimed", row: 12, content: "imported" });
  const found = readDatabase(a.files.database, (db) => ({
    notes: db.prepare("select * from notes").all(),
    migrations: db.prepare("select number from _migrations").pluck().all(),
    pageBytes: db.pragma("page_size", { simple: true }),
  }));
  expect(found).toEqual({
    notes: [
      { id: 1, text: "brought", stars: null },
      { id: 2, text: "too", stars: null },
    ],
    migrations: [1, 2],
    pageBytes: 8192,
  });
  await a.liveAndStop(["written since"]);
  a.loseDisk();
  a.becomeAnother();
  await a.boot();
  expect(a.texts()).toEqual(["brought", "too", "written since"]);
});

test("a copy of a Lifeboat's own database knows its migrations", async () => {
  const a = await makeEmpty();
  await type(a, foreign(), "--schema", "1", "--yes");
  await a.boot();
  const copy = join(folder, "copy.db");
  const db = new Sqlite(a.files.database, { readonly: true });
  await db.backup(copy);
  db.close();
  const b = await makeEmpty();
  await expect(type(b, copy, "--schema", "2", "--yes")).rejects.toThrow(/itself which migrations.*--schema/);
  await type(b, copy, "--yes");
  await b.boot();
  expect(b.texts()).toEqual(["brought", "too"]);
});

test("an import that no boot has carried out drops nothing that was written after it", async () => {
  const a = await makeEmpty();
  await type(a, foreign(), "--schema", "1", "--yes");
  // The app ran again: the order is not of its stop.
  await using life = await a.live();
  life.write("later");
  await life.stopCleanly();
  expect(await a.boot()).toMatchObject({ outcome: "resumed" });
  expect(a.texts()).toEqual(["later"]);
});

const unfit: [claim: string, make: () => string, words: string[], why: RegExp][] = [
  ["a file that is not there", () => join(folder, "nothing.db"), [], /is not on this machine/],
  [
    "a file that is no database",
    () => (writeFileSync(join(folder, "text"), "x".repeat(5000)), join(folder, "text")),
    [],
    /cannot be taken in.*not a database/,
  ],
  [
    "rows that refer to none",
    () =>
      bring(
        "pragma foreign_keys = off",
        "create table a (id integer primary key)",
        "create table b (a references a)",
        "insert into b values (5)",
      ),
    [],
    /foreign_key_check/,
  ],
  ["a foreign one without its schema", foreign, [], /--schema N/],
  ["a schema that the product does not have", foreign, ["--schema", "3"], /only 2 migrations/],
  [
    "tables that are not those",
    () => bring("create table notes (id integer primary key, words text)"),
    ["--schema", "1"],
    /notes: kind are not strict.*columns are/,
  ],
  ["tables that a migration makes again", foreign, ["--schema", "0"], /notes already exists/],
  ["an answer that nobody can give", foreign, ["--schema", "1"], /no terminal/],
];

test.each(unfit)("refuses %s, and changes nothing", async (_, make, words, why) => {
  const a = await makeEmpty();
  const typed = type(a, make(), ...words);
  await expect(typed).rejects.toThrow(why);
  await expect(typed).rejects.toThrow(Refused);
  expect(existsSync(a.files.incoming)).toBe(false);
  expect(existsSync(a.files.restoreOrder)).toBe(false);
});

test("refuses to hide what a machine has, and to run beside the app's last words", async () => {
  const a = world.newMachine(await world.makeSite());
  await a.liveAndStop(["one"]);
  await expect(type(a, foreign(), "--schema", "1", "--yes")).rejects.toThrow(/not empty \(notes has 1 rows\)/);
  const crashed = world.newMachine(await world.makeSite());
  await crashed.liveAndCrash({ replicated: [] });
  await expect(type(crashed, foreign(), "--schema", "1", "--yes")).rejects.toThrow(Refused);
  expect(existsSync(crashed.files.incoming)).toBe(false);
});

test("a dry run tries the migrations on a copy, and leaves none", async () => {
  const a = await makeEmpty();
  expect(await type(a, foreign(), "--schema", "1", "--dry-run")).toMatchObject({ isDone: false });
  expect(existsSync(a.files.incoming)).toBe(false);
});

test.each([[[]], [["a.db", "b.db"]], [["a.db", "--schema", "one"]], [["a.db", "--force"]]])(
  "does not guess what %j means",
  (words) => {
    expect(() => importCommand.readArguments(words)).toThrow(UsageError);
  },
);
