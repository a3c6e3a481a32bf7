import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import type Database from "better-sqlite3";
import { afterEach, beforeEach, expect, test } from "vitest";

import { openDatabase } from "../../app/database/open-database.ts";
import { digestTables, findDifference } from "../../app/replica/row-digest.ts";
import { limitSnapshot } from "../../app/replica/snapshot-limit.ts";

const rows = 5_000;
const limits = { walBytes: 1024 ** 2, leastMs: 0, mostMs: 60_000 };

let folder: string;
let path: string;
let writer: Database.Database;
let reader: Database.Database;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "lifeboat-snapshot-"));
  path = join(folder, "app.db");
  writer = openDatabase(path, "writer");
  for (const table of ["a", "b", "c"]) {
    writer.exec(`create table ${table} (id integer primary key, text text not null) strict`);
    writer.exec(`with recursive n(i) as (values (1) union all select i + 1 from n where i < ${rows})
      insert into ${table} select i, 'row ' || i from n`);
  }
  writer.pragma("wal_checkpoint(TRUNCATE)");
  reader = openDatabase(path, "reader");
  reader.exec("begin; select 1 from a");
});
afterEach(() => {
  reader.close();
  writer.close();
  rmSync(folder, { recursive: true });
});

function write(bytes: number): void {
  writer.prepare("insert into c (text) values (?)").run("x".repeat(bytes));
}

test("a quiet database is read whole, however long that takes", () => {
  using limit = limitSnapshot(path, limits);
  const digests = digestTables(reader, limit.isReached);
  expect(digests.map(({ rows: seen, whole }) => [seen, whole])).toEqual([1, 2, 3].map(() => [rows, true]));
  expect(findDifference(reader, digests)).toBeNull();
});

test("a snapshot is given up when the WAL has grown behind it, and what was read until then can be compared", async () => {
  using limit = limitSnapshot(path, limits);
  expect(limit.isReached()).toBe(false);
  write(limits.walBytes / 2);
  await sleep(60);
  expect(limit.isReached()).toBe(false);
  let asked = 0;
  const digests = digestTables(reader, () => {
    asked += 1;
    if (asked === 8) write(limits.walBytes);
    if (asked > 7) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 60);
    return limit.isReached();
  });
  // Asked before each table, and after each thousand rows of it.
  expect(digests.map(({ rows: seen, whole }) => [seen, whole])).toEqual([
    [rows, true],
    [1_000, false],
  ]);
  expect(findDifference(reader, digests)).toBeNull();
});

test("the time alone ends it at last, and something is read first where the WAL was big before", async () => {
  using over = limitSnapshot(path, { ...limits, mostMs: 1 });
  await sleep(5);
  expect(over.isReached()).toBe(true);
  write(2 * limits.walBytes);
  using early = limitSnapshot(path, { ...limits, leastMs: 30_000 });
  expect(early.isReached()).toBe(false);
});

test("another table is the first each time, so that all have their turn", () => {
  const firsts = Array.from({ length: 60 }, () => {
    let asked = 0;
    return digestTables(reader, () => (asked += 1) > 1)[0]?.table;
  });
  expect(new Set(firsts)).toEqual(new Set(["a", "b", "c"]));
});
