import { join } from "node:path";

import { expect, test } from "vitest";

import { openDatabase } from "../../app/database/open-database.ts";
import { startWriter } from "../../app/database/writer.ts";
import { defaultWriterOptions } from "./notes-database.ts";
import { makeTemporaryDirectory } from "./temporary-directory.ts";

test("beforeMigration runs once, only when the database holds data and something is pending", async () => {
  using directory = makeTemporaryDirectory();
  const options = defaultWriterOptions(join(directory.path, "app.db"));
  let calls = 0;
  const beforeMigration = async (): Promise<void> => void (calls += 1);
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

test("a writer that cannot open its database fails to start and says why", async () => {
  using directory = makeTemporaryDirectory();
  const start = startWriter(defaultWriterOptions(join(directory.path, "missing", "app.db")));
  await expect(start).rejects.toThrow(/starting the writer on .*app\.db failed/);
});

function failBackup(): Promise<void> {
  return Promise.reject(new Error("the bucket is away"));
}
