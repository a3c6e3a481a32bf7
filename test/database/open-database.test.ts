import { copyFileSync, existsSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { expect, test } from "vitest";

import { DatabaseDamaged } from "../../app/database/database-file.ts";
import { openDatabase, quickCheck, readDatabase } from "../../app/database/open-database.ts";
import { makeTemporaryDirectory } from "./temporary-directory.ts";

const pragmas = {
  busy_timeout: 5000,
  wal_autocheckpoint: 0,
  journal_mode: "wal",
  synchronous: 1,
  cache_size: -64_000,
  foreign_keys: 1,
  mmap_size: 0,
};

test.each(["writer", "reader"] as const)("a %s has every pragma of the table", (role) => {
  using directory = makeTemporaryDirectory();
  const path = join(directory.path, "app.db");
  openDatabase(path, "writer").close();
  const db = openDatabase(path, role);
  for (const [name, value] of Object.entries(pragmas))
    expect([name, db.pragma(name, { simple: true })]).toEqual([name, value]);
  db.close();
});

test("a lock waits for its holder, never checkpoints, and excludes a second one", () => {
  using directory = makeTemporaryDirectory();
  const path = join(directory.path, "lifeboat.lock");
  const holder = openDatabase(path, "lock");
  holder.exec("begin exclusive");
  const other = openDatabase(path, "lock");
  expect(other.pragma("busy_timeout", { simple: true })).toBe(5000);
  expect(other.pragma("wal_autocheckpoint", { simple: true })).toBe(0);
  other.pragma("busy_timeout = 0");
  expect(() => other.exec("begin exclusive")).toThrow(/locked/);
  holder.close();
  other.exec("begin exclusive");
  other.close();
});

test("a new database is published whole: never as an empty file, whatever an earlier crash left", () => {
  using directory = makeTemporaryDirectory();
  const path = join(directory.path, "app.db");
  writeFileSync(`${path}.new`, "half a");
  writeFileSync(`${path}.new-wal`, "stale");
  const db = openDatabase(path, "writer");
  db.close();
  expect(readdirSync(directory.path)).toEqual(["app.db"]);
  expect(statSync(path).size).toBe(4096);
});

test.each(["writer", "reader"] as const)("a %s refuses a file of 0 bytes and says so", (role) => {
  using directory = makeTemporaryDirectory();
  const path = join(directory.path, "app.db");
  writeFileSync(path, "");
  expect(() => openDatabase(path, role)).toThrow(DatabaseDamaged);
  expect(() => openDatabase(path, role)).toThrow(/app\.db has 0 bytes/);
  expect(statSync(path).size).toBe(0);
});

test.each(["writer", "reader"] as const)("a %s refuses a file that is no database and leaves it alone", (role) => {
  using directory = makeTemporaryDirectory();
  const path = join(directory.path, "app.db");
  writeFileSync(path, "<html>".repeat(1000));
  expect(() => openDatabase(path, role)).toThrow(/file is not a database/);
  expect(readFileSync(path, "utf8")).toBe("<html>".repeat(1000));
});

test("a writer refuses to make a database beside a WAL whose database is lost", () => {
  using directory = makeTemporaryDirectory();
  const path = join(directory.path, "app.db");
  writeFileSync(`${path}-wal`, "frames of another life");
  expect(() => openDatabase(path, "writer")).toThrow(/app\.db-wal has no database/);
  expect(existsSync(path)).toBe(false);
});

test("a reader refuses a missing file and does not make it", () => {
  using directory = makeTemporaryDirectory();
  const path = join(directory.path, "app.db");
  expect(() => openDatabase(path, "reader")).toThrow(/ENOENT/);
  expect(existsSync(path)).toBe(false);
});

test("a reader refuses a database that is not in WAL mode", () => {
  using directory = makeTemporaryDirectory();
  const path = join(directory.path, "app.db");
  const db = openDatabase(path, "writer");
  db.pragma("journal_mode = DELETE");
  db.close();
  expect(() => openDatabase(path, "reader")).toThrow(/is in journal mode delete/);
});

test("a reader cannot write, not even through SQL", () => {
  using directory = makeTemporaryDirectory();
  const path = join(directory.path, "app.db");
  openDatabase(path, "writer").close();
  const reader = openDatabase(path, "reader");
  expect(() => reader.exec("create table t (a)")).toThrow(/readonly/);
  expect(() => reader.pragma("journal_mode = DELETE")).toThrow();
  expect(reader.pragma("journal_mode", { simple: true })).toBe("wal");
  reader.close();
});

test("a reader that closes last leaves the WAL as it was, and finds what is in it", () => {
  using directory = makeTemporaryDirectory();
  const path = join(directory.path, "app.db");
  const copy = join(directory.path, "copy.db");
  const writer = openDatabase(path, "writer");
  writer.exec("create table t (a); insert into t values (1)");
  // As a killed process leaves them: no lock, no -shm.
  copyFileSync(path, copy);
  copyFileSync(`${path}-wal`, `${copy}-wal`);
  writer.close();
  const before = [readFileSync(copy), readFileSync(`${copy}-wal`)];
  const reader = openDatabase(copy, "reader");
  expect(reader.prepare("select a from t").all()).toEqual([{ a: 1 }]);
  reader.close();
  expect([readFileSync(copy), readFileSync(`${copy}-wal`)]).toEqual(before);
});

test.each([
  ["a lost page", (content: Buffer) => content.fill(0, 3 * 4096, 4 * 4096), /malformed/],
  [
    "a wrong count of free pages",
    (content: Buffer) => void content.writeUInt32BE(7, 36),
    /fails quick_check: [^]*Freelist/,
  ],
])("a sound database passes quick_check, one with %s is reported as damaged", (_, damage, message) => {
  using directory = makeTemporaryDirectory();
  const path = join(directory.path, "app.db");
  const writer = openDatabase(path, "writer");
  writer.exec(
    "create table t (a); with recursive n(i) as (select 1 union all select i + 1 from n where i < 5000) insert into t select i from n",
  );
  quickCheck(writer);
  writer.close();
  const content = readFileSync(path);
  damage(content);
  writeFileSync(path, content);
  const reader = openDatabase(path, "reader");
  expect(() => quickCheck(reader)).toThrow(DatabaseDamaged);
  expect(() => quickCheck(reader)).toThrow(message);
  reader.close();
});

test("damage that shows only while it is read is reported as such", () => {
  using directory = makeTemporaryDirectory();
  const path = join(directory.path, "app.db");
  const writer = openDatabase(path, "writer");
  writer.exec("create table t (a); insert into t values (1)");
  writer.close();
  const content = readFileSync(path);
  writeFileSync(path, content.fill(0, 4096, 2 * 4096));
  expect(() => readDatabase(path, (reader) => reader.prepare("select a from t").all())).toThrow(DatabaseDamaged);
});

test("a cut database is refused as damaged when it is opened", () => {
  using directory = makeTemporaryDirectory();
  const path = join(directory.path, "app.db");
  const writer = openDatabase(path, "writer");
  writer.exec("create table t (a); create table u (a)");
  writer.close();
  truncateSync(path, 4096);
  expect(() => openDatabase(path, "reader")).toThrow(DatabaseDamaged);
});
