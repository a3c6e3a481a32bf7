import { setTimeout as sleep } from "node:timers/promises";

import { expect, test } from "vitest";

import { waitFor } from "../../app/cli/wait-for.ts";
import { readDatabase } from "../../app/database/open-database.ts";
import { startWriter } from "../../app/database/start-writer.ts";
import { startLoad } from "../../scripts/bench/rows/long-reader.ts";
import type { Write } from "../../scripts/bench/rows/render-long-reader.ts";
import { bootFor, holdSnapshot, startLitestream } from "../../scripts/bench/servers/litestream-site.ts";
import { Leftovers } from "../../scripts/local/leftovers.ts";
import { startSeaweedStore } from "../../scripts/local/seaweed-store.ts";
import { makeTemporaryDirectory } from "../database/temporary-directory.ts";

const mebibyte = 1024 * 1024;
// Beside 15 MB/s Litestream leaves some 25 MB in use without any reader.
const limits = { queueLimit: 100, walAlarmBytes: 48 * mebibyte, walLimitBytes: 96 * mebibyte };

test("a long reader in another process: writes are refused once, and go on for good when it ends", async () => {
  await using store = await startSeaweedStore();
  using directory = makeTemporaryDirectory();
  const place = { directory: directory.path, store: store.access, leftovers: new Leftovers() };
  const machine = await bootFor(place);
  const logged: string[] = [];
  const keep = (_fields: object, message: string): void => void logged.push(message);
  const threadUrl = new URL("../../app/calibration-thread.ts", import.meta.url);
  const { database: databasePath, litestreamLock } = machine.files;
  const log = { info: () => undefined, warn: keep, error: keep };
  const writer = await startWriter({ databasePath, litestreamLock, threadUrl, ...limits, log });
  const litestream = startLitestream(machine, null, place);
  const load = startLoad(writer);
  try {
    const reader = await holdSnapshot(databasePath);
    await waitFor("the refusal", async () => (writer.state === "refusing" ? true : null), { timeoutMs: 60_000 });
    // Litestream tries in vain to checkpoint every second.
    await sleep(3_500);
    expect(writer.cause).toContain(`held by node (process ${reader.pid}`);
    await reader.end();
    await waitFor("the WAL's reset", async () => (writer.state === "accepting" ? true : null), { timeoutMs: 30_000 });
    await sleep(4_000);
    expect(writer.cause).toBe(null);
    expect(writer.walBytes).toBeLessThan(limits.walLimitBytes / 2);
    const writes = await load.stop();
    expect(listOutcomes(writes)).toEqual(["acknowledged", "wal-too-big", "acknowledged"]);
    expect(logged).toEqual([
      "the WAL reached its alarm size",
      "the WAL reached its limit and writes are refused",
      "the WAL is below its limit again and writes are accepted",
    ]);
    const acknowledged = writes.filter(({ outcome }) => outcome === "acknowledged");
    const rows = readDatabase(databasePath, (db) => db.prepare("select count(*) from documents").pluck().get());
    expect(rows).toBe(acknowledged.length);
  } finally {
    await load.stop();
    await writer.close();
    litestream.signal("SIGKILL");
    await litestream.exited;
  }
}, 120_000);

/** In the order of sending, each change of the outcome once. */
function listOutcomes(writes: readonly Write[]): string[] {
  const inOrder = writes.toSorted((left, right) => left.sentMs - right.sentMs);
  return inOrder.map(({ outcome }) => outcome).filter((outcome, index, all) => outcome !== all[index - 1]);
}
