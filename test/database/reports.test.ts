import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";

import { expect, test } from "vitest";

import { waitFor } from "../../app/cli/wait-for.ts";
import { nameSnapshotHolders } from "../../app/database/lock-holders.ts";
import { openDatabase } from "../../app/database/open-database.ts";
import { makeTemporaryDirectory } from "./temporary-directory.ts";

test("a report in the middle of a statement ends with its server, however that ends, and so does its snapshot", async ({
  skip,
}) => {
  skip(process.platform !== "linux", "Linux tells who holds a snapshot");
  using directory = makeTemporaryDirectory();
  const databasePath = join(directory.path, "app.db");
  const db = openDatabase(databasePath, "writer");
  db.exec("create table pages (id text)");
  const program = join(import.meta.dirname, "children/reporting-process.ts");
  const server = spawn(process.execPath, [program, databasePath], { stdio: ["ignore", "ignore", "pipe"] });
  const waitForSnapshot = (isHeld: boolean, pid: string) =>
    waitFor(
      isHeld ? "the report's snapshot" : "the end of it",
      async () => {
        // A snapshot of the newest state counts for nobody.
        db.exec("insert into pages values ('another')");
        return nameSnapshotHolders({ databasePath }).includes(`process ${pid}`) === isHeld ? true : null;
      },
      { timeoutMs: 60_000 },
    );
  try {
    const [pid]: unknown[] = await once(server.stderr.setEncoding("utf8"), "data");
    const runner = String(pid).trim();
    await waitForSnapshot(true, runner);
    server.kill("SIGKILL");
    await waitForSnapshot(false, runner);
    expect(server.killed).toBe(true);
  } finally {
    server.kill("SIGKILL");
    db.close();
  }
});
