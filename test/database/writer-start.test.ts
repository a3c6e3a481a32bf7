import { join } from "node:path";

import { expect, test } from "vitest";

import type { MigrationProgress } from "../../app/database/migrate-thread.ts";
import { openDatabase } from "../../app/database/open-database.ts";
import { startWriter } from "../../app/database/start-writer.ts";
import { defaultWriterOptions } from "./notes-database.ts";
import { makeTemporaryDirectory } from "./temporary-directory.ts";

test("beforeMigration runs once, only when the database holds data and something is pending", async () => {
  using directory = makeTemporaryDirectory();
  const options = defaultWriterOptions(join(directory.path, "app.db"));
  let calls = 0;
  const beforeMigration = async (): Promise<string> => `call ${(calls += 1)}`;
  const start = async (): Promise<void> => {
    const writer = await startWriter({ ...options, beforeMigration });
    await writer.close();
  };
  await start();
  expect(calls).toBe(0);
  await start();
  expect(calls).toBe(0);
  const db = openDatabase(options.databasePath, "writer");
  db.exec("drop table traps; delete from _migrations where number = 2");
  db.close();
  await start();
  expect(calls).toBe(1);
});

test("a backup point that fails stops the start before anything is migrated", async () => {
  using directory = makeTemporaryDirectory();
  const options = defaultWriterOptions(join(directory.path, "app.db"));
  const db = openDatabase(options.databasePath, "writer");
  db.exec("create table older (id text)");
  await expect(startWriter({ ...options, beforeMigration: failBackup })).rejects.toMatchObject({
    cause: { message: "the bucket is away" },
  });
  expect(db.prepare("select name from sqlite_schema").pluck().all()).toEqual(["older"]);
  db.close();
});

test("a migration tells its progress while it runs, and has no time limit", async () => {
  using directory = makeTemporaryDirectory();
  const options = defaultWriterOptions(join(directory.path, "app.db"));
  const told: (MigrationProgress | null)[] = [];
  const logged: string[] = [];
  let turns = 0;
  // The main thread goes on answering.
  const clock = setInterval(() => (turns += 1), 20);
  const writer = await startWriter({
    ...options,
    threadUrl: new URL("./children/slow-migration-thread.ts", import.meta.url),
    progressIntervalMs: 100,
    onProgress: (progress) => told.push(progress),
    log: { ...options.log, info: (_, message) => logged.push(message) },
  });
  clearInterval(clock);
  await writer.close();
  const steps = told.flatMap((progress) => (progress?.migration === '1 "slow"' ? [progress] : []));
  expect(steps.length).toBeGreaterThan(3);
  expect(steps.at(-1)?.walBytes).toBeGreaterThan(1024 * 1024);
  expect(steps.at(-1)?.elapsedMs).toBeGreaterThan(steps[0]?.elapsedMs ?? Infinity);
  expect(told.at(-1)).toBeNull();
  expect(turns).toBeGreaterThan(5);
  expect(logged).toEqual(expect.arrayContaining(["the start is under way", "migrated"]));
});

test("a database that this release must not write is refused, as such", async () => {
  using directory = makeTemporaryDirectory();
  const options = defaultWriterOptions(join(directory.path, "app.db"));
  const first = await startWriter(options);
  await first.close();
  const db = openDatabase(options.databasePath, "writer");
  db.exec("insert into _migrations values (3, 'newer', 'now')");
  await expect(startWriter(options)).rejects.toMatchObject({ cause: { name: "MigrationRefused" } });
  db.exec("insert into _migration_kinds values (3, 'additive', null)");
  const second = await startWriter(options);
  await second.close();
  db.close();
});

test("a writer that cannot open its database fails to start and says why", async () => {
  using directory = makeTemporaryDirectory();
  const start = startWriter(defaultWriterOptions(join(directory.path, "missing", "app.db")));
  await expect(start).rejects.toThrow(/starting the writer on .*app\.db failed/);
});

function failBackup(): Promise<string> {
  return Promise.reject(new Error("the bucket is away"));
}
