import { spawnSync } from "node:child_process";
import { truncateSync } from "node:fs";
import { join } from "node:path";

import { expect, test } from "vitest";

import { openDatabase } from "../../app/database/open-database.ts";
import { openReader } from "../../app/database/reader.ts";
import { query } from "../../app/database/transaction.ts";
import { readNotes } from "./notes-database.ts";
import { notes } from "./notes.ts";
import { runChild } from "./run-child.ts";
import { makeTemporaryDirectory } from "./temporary-directory.ts";

const smallDisk = 'mount -t tmpfs -o size=4m lifeboat "$1" && shift && exec "$@"';
const canMount = spawnSync("unshare", ["-rm", "true"]).status === 0;

test.skipIf(!canMount)(
  "a disk that fills in the middle of a group refuses the group, and the writer goes on when there is space (needs user namespaces)",
  async () => {
    using directory = makeTemporaryDirectory();
    const launcher = ["unshare", "-rm", "sh", "-c", smallDisk, "sh", directory.path];
    const report = await runChild("full-disk.ts", [directory.path], launcher);
    expect(report).toEqual({
      outcomes: ["refused disk-full", "refused disk-full", "refused disk-full", "refused disk-full"],
      notesWhenFull: ["before"],
      notesAfter: ["after", "before"],
    });
  },
  90_000,
);

test("an I/O error at COMMIT ends the thread with an unknown outcome, and what was answered before is there", async () => {
  using directory = makeTemporaryDirectory();
  const path = join(directory.path, "app.db");
  const report = await runChild("io-error.ts", [path, "1000"], limitFileSize(1000));
  expect(report).toMatchObject({
    outcome: "unknown",
    failure: expect.stringContaining("COMMIT failed"),
    state: "stopping",
  });
  const found = Object.keys(readNotes(path));
  expect(found).toEqual(expect.arrayContaining(readCommitted(report)));
  expect(found.length - readCommitted(report).length).toBeLessThanOrEqual(1);
}, 90_000);

test("an I/O error before COMMIT ends the thread too, because the disk's answers cannot be trusted", async () => {
  using directory = makeTemporaryDirectory();
  // More than the cache holds, so that SQLite writes in the middle of the statement.
  const report = await runChild("io-error.ts", [join(directory.path, "app.db"), "100000000"], limitFileSize(1000));
  expect(report).toMatchObject({
    committed: [],
    outcome: "unknown",
    failure: expect.stringMatching(/the disk fails.*SQLITE_IOERR/),
    state: "stopping",
  });
}, 90_000);

test("an I/O error in a reading is reported, so that the process can end with its cause", () => {
  using directory = makeTemporaryDirectory();
  const path = join(directory.path, "app.db");
  const writer = openDatabase(path, "writer");
  writer.exec("create table notes (id text, body text)");
  const failures: string[] = [];
  const reader = openReader(path, (failure) => failures.push(failure.message));
  writer.exec("insert into notes values ('1', 'one')");
  truncateSync(`${path}-wal`, 100);
  expect(() => reader.read(query(notes.selectFrom("notes").selectAll()))).toThrow("disk I/O error");
  expect(failures).toEqual([expect.stringMatching(/the disk fails under .*SQLITE_IOERR/)]);
  reader.close();
  writer.close();
});

function readCommitted(report: unknown): string[] {
  if (typeof report !== "object" || report === null || !("committed" in report))
    throw new Error("the child reported nothing");
  if (!Array.isArray(report.committed)) throw new Error("the child reported no list");
  return report.committed.map(String);
}

// Beyond the limit write(2) fails with EFBIG, which SQLite takes for a real I/O error.
function limitFileSize(kilobytes: number): string[] {
  return ["bash", "-c", `trap '' XFSZ; ulimit -f ${kilobytes}; exec "$@"`, "bash"];
}
