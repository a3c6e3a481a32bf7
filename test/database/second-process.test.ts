import { execFileSync } from "node:child_process";
import { rmSync, statSync } from "node:fs";

import { expect, test } from "vitest";

import { openReader } from "../../app/database/reader.ts";
import { WriteOutcomeUnknown } from "../../app/database/write-outcome.ts";
import { startWriterFixture } from "./notes-database.ts";
import { runChild } from "./run-child.ts";

test("a reader in another process never sees half of a command while the writer works", async () => {
  await using fixture = await startWriterFixture();
  const { writer, path } = fixture;
  const add = (id: string): Promise<unknown> => writer.execute("add-pair", { id, body: id }, { durability: "commit" });
  await add("first");
  const reading = runChild("reading-process.ts", [path, "left-last"]);
  let isOver = false;
  void reading.finally(() => (isOver = true)).catch(() => undefined);
  for (let count = 0; count < 300; count++) await Promise.all([add(`a${count}`), add(`b${count}`)]);
  await add("last");
  const report = await reading;
  expect(isOver).toBe(true);
  expect(report).toMatchObject({ readings: expect.any(Number) });
}, 90_000);

test("another process that opens and closes the database leaves the WAL of this one in place", async () => {
  await using fixture = await startWriterFixture();
  const { writer, path } = fixture;
  const reader = openReader(path);
  await writer.execute("add-pair", { id: "before", body: "" }, { durability: "disk" });
  const { ino } = statSync(`${path}-wal`);
  // A stock SQLite, whose close of the last connection checkpoints and deletes the WAL.
  const openAndClose =
    "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('select * from _lifeboat').fetchall(); c.close()";
  execFileSync("python3", ["-c", openAndClose, path]);
  expect(statSync(`${path}-wal`).ino).toBe(ino);
  await writer.execute("add-pair", { id: "after", body: "" }, { durability: "disk" });
  reader.close();
});

test("a write to a WAL that was deleted is not acknowledged, and the process is told to end", async () => {
  await using fixture = await startWriterFixture();
  const { writer, path } = fixture;
  const failures: Error[] = [];
  writer.onFailure((error) => failures.push(error));
  await writer.execute("add-pair", { id: "before", body: "" }, { durability: "disk" });
  rmSync(`${path}-wal`);
  const write = writer.execute("add-pair", { id: "after", body: "" }, { durability: "disk" });
  await expect(write).rejects.toThrow(WriteOutcomeUnknown);
  expect(failures.map((error) => error.message)).toEqual([expect.stringContaining("was deleted or replaced")]);
});
