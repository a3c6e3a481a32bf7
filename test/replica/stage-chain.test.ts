import { existsSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";

import { openDatabase, readDatabase } from "../../app/database/open-database.ts";
import { litestreamConfig } from "../../app/replica/litestream-config.ts";
import { RestoreFailed, type Restored, restoreEpoch } from "../../app/replica/restore.ts";
import { type SeaweedStore, startSeaweedStore } from "../../scripts/local/seaweed-store.ts";
import { ReplicaSite } from "./replication-site.ts";
import { type Fate, StoreProxy } from "./store-proxy.ts";

// The files of a restore are fetched side by side. A real Litestream writes and restores them, at a real store behind a
// proxy.
const timeout = 60_000;
const rows = 20;
const missing: Fate = { status: 404, body: "<Error><Code>NoSuchKey</Code><Message>gone</Message></Error>" };

let store: SeaweedStore;
let site: ReplicaSite;
let proxy: StoreProxy;
beforeAll(async () => {
  store = await startSeaweedStore();
}, timeout);
afterAll(() => store[Symbol.asyncDispose]());
beforeEach(async () => {
  site = await ReplicaSite.open(store.access);
  proxy = await StoreProxy.start(store.access.endpoint);
  holdCompaction(site);
  site.startLitestream();
  for (let row = 1; row <= rows; row++) {
    site.write(`row ${row}`);
    await sync();
  }
}, timeout);
afterEach(async () => {
  await site[Symbol.asyncDispose]();
  await proxy[Symbol.asyncDispose]();
}, timeout);

/** At its usual pace it would sometimes leave fewer files than these tests count. */
function holdCompaction({ machine, mark }: ReplicaSite): void {
  const path = machine.files.litestreamConfig;
  const config = { ...litestreamConfig(machine, mark.epoch), levels: [{ interval: "24h" }] };
  writeFileSync(path, JSON.stringify(config), { mode: 0o600 });
}

/** Until Litestream listens. */
async function sync(): Promise<void> {
  for (;;) {
    try {
      await site.sync();
      return;
    } catch {
      await sleep(100);
    }
  }
}

let detours: string[];

type Seen = { gets: number; most: number };

/** Counts the files that are fetched, and how many at once. */
function watch(judge: (count: number) => Fate = () => "pass"): Seen {
  const seen: Seen = { gets: 0, most: 0 };
  let underWay = 0;
  proxy.decide = async ({ method, path }) => {
    if (method !== "GET" || !path.includes(".ltx")) return "pass";
    seen.gets += 1;
    const count = seen.gets;
    underWay += 1;
    seen.most = Math.max(seen.most, underWay);
    await sleep(30);
    underWay -= 1;
    return judge(count);
  };
  return seen;
}

async function restore(txid?: string): Promise<Restored> {
  detours = [];
  const bucket = { ...site.machine.bucket, endpoint: proxy.endpoint };
  const restored = await restoreEpoch({ ...site.machine, bucket }, site.mark.epoch, {
    stallLimitMs: 5_000,
    txid,
    onDetour: (cause) => detours.push(cause),
  });
  expect(readdirSync(site.machine.files.restored)).toEqual(["app.db"]);
  return restored;
}

function countRows({ path }: Restored): number {
  return readDatabase(path, (db) => db.prepare<[], number>("select count(*) from notes").pluck().get() ?? 0);
}

test("all rows come back, with many files at once and each of them once", { timeout }, async () => {
  const seen = watch();
  expect(countRows(await restore())).toBe(rows);
  expect(detours).toEqual([]);
  expect(seen.most).toBeGreaterThan(8);
  expect(seen.gets).toBeLessThan(2 * rows);
});

test("the content is the one that Litestream restores by itself", { timeout }, async () => {
  const [{ path, txid }] = [await restore()];
  const bodies = readDatabase(path, (db) => db.prepare<[], string>("select body from notes order by id").pluck().all());
  rmSync(path);
  const direct = await restore(txid);
  expect(direct.txid).toBe(txid);
  expect(bodies).toHaveLength(rows);
  expect(
    readDatabase(direct.path, (db) => db.prepare<[], string>("select body from notes order by id").pluck().all()),
  ).toEqual(bodies);
});

test("a file that compaction takes away meanwhile is planned around", { timeout }, async () => {
  const seen = watch((count) => (count === 3 ? missing : "pass"));
  expect(countRows(await restore())).toBe(rows);
  // What was there already is not fetched again.
  expect(seen.gets).toBeLessThan(2 * rows);
});

test.each<[string, string, Fate]>([
  ["refuses", "SlowDown", { status: 503, body: "<Error><Code>SlowDown</Code></Error>" }],
  ["loses its answers to", "unreachable", "lose-answer"],
])("a store that %s many at once is left to Litestream, and boot is told", { timeout }, async (_what, cause, fate) => {
  let isHealed = false;
  watch((count) => {
    isHealed ||= count > 100;
    return isHealed || count % 2 === 0 ? "pass" : fate;
  });
  expect(countRows(await restore())).toBe(rows);
  expect(detours).toEqual([expect.stringContaining(cause)]);
});

test("a damaged file is damaged in both ways, and nothing is left behind", { timeout }, async () => {
  watch(() => ({ status: 200, body: "x".repeat(100) }));
  await expect(restore()).rejects.toThrow(RestoreFailed);
  expect(existsSync(site.machine.files.restored)).toBe(false);
});

test("a few files are not worth a copy", { timeout }, async () => {
  const other = await ReplicaSite.open(store.access);
  await using _closed = other;
  other.startLitestream();
  other.write("one");
  for (let tries = 0; tries < 100; tries++) {
    const isDone = await other.sync().then(
      () => true,
      () => false,
    );
    if (isDone) break;
    await sleep(100);
  }
  const restored = await restoreEpoch(other.machine, other.mark.epoch, { stallLimitMs: 5_000 });
  expect(countRows(restored)).toBe(1);
  expect(existsSync(join(other.machine.files.restored, "staged"))).toBe(false);
  openDatabase(restored.path, "reader").close();
});
