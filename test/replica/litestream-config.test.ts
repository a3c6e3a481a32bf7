import { chmodSync, readFileSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { Type } from "typebox";
import { afterAll, beforeAll, expect, test } from "vitest";

import { waitFor } from "../../app/cli/wait-for.ts";
import { openDatabase } from "../../app/database/open-database.ts";
import {
  type LitestreamConfig,
  litestreamConfig,
  renderLitestreamConfig,
} from "../../app/replica/litestream-config.ts";
import { type Machine, machineFiles } from "../../app/replica/machine.ts";
import { parseJson } from "../../app/replica/parse-json.ts";
import { resolveBinary } from "../../scripts/build/resolve-binary.ts";
import { type SeaweedStore, startSeaweedStore } from "../../scripts/local/seaweed-store.ts";
import { ReplicaSite } from "./replication-site.ts";

const waitMs = 20_000;

let store: SeaweedStore;
beforeAll(async () => void (store = await startSeaweedStore()));
afterAll(() => store[Symbol.asyncDispose]());

const example: Machine = {
  machineId: "machine",
  bootId: "boot",
  files: machineFiles("/data", "/run/lifeboat"),
  bucket: {
    bucket: "example-bucket",
    region: "eu-central-1",
    endpoint: "https://store.example.test",
    pathStyle: true,
    accessKeyId: "NOT-IN-THE-FILE",
    secretAccessKey: "NOT-IN-THE-FILE-EITHER",
  },
  bucketId: "00000000-0000-0000-0000-000000000000",
  litestreamPath: "/opt/lifeboat/litestream",
  replicationIntervalMs: 1_000,
  syncsPerMonth: 26_000_000,
  retentionHours: 24,
  acceptAdvisoryFence: false,
};

/** Where Litestream 0.5.17 reads which key: cmd/litestream/main.go and internal/logging.go. Only what we may use. */
const keyTree: Tree = {
  snapshot: { interval: null, retention: null },
  levels: { interval: null },
  "l0-retention": null,
  "l0-retention-check-interval": null,
  "verify-compaction": null,
  "shutdown-sync-timeout": null,
  socket: { enabled: null, path: null, permissions: null },
  logging: { level: null, type: null, stderr: null },
  dbs: {
    path: null,
    "monitor-interval": null,
    "min-checkpoint-page-count": null,
    "truncate-page-n": null,
    replica: {
      type: null,
      bucket: null,
      path: null,
      region: null,
      endpoint: null,
      "force-path-style": null,
      "sign-payload": null,
      "sync-interval": null,
    },
  },
};
type Tree = { readonly [key: string]: Tree | null };

test("the file for an example machine is the golden one", async () => {
  const golden = join(import.meta.dirname, "../golden/litestream.yml");
  await expect(renderLitestreamConfig(example, "0007-0a1b2c3d")).toMatchFileSnapshot(golden);
});

test("no key of the store is in the file", () => {
  expect(renderLitestreamConfig(example, "0007-0a1b2c3d")).not.toContain("NOT-IN-THE-FILE");
});

test("every key stands where Litestream reads it, for a store with an endpoint and for AWS", () => {
  const { endpoint: _none, ...aws } = example.bucket;
  for (const bucket of [example.bucket, aws]) {
    expect(findStrangers(litestreamConfig({ ...example, bucket }, "0007-0a1b2c3d"), keyTree)).toEqual([]);
  }
  const mistyped = { ...litestreamConfig(example, "0007-0a1b2c3d"), "l0-retension": "5m" };
  expect(findStrangers(mistyped, keyTree)).toEqual(["l0-retension"]);
});

test("every key is one that the real Litestream knows", async () => {
  const binary = readFileSync(await resolveBinary("litestream"), "latin1");
  const unknown = listKeys(keyTree).filter((key) => !binary.includes(`yaml:"${key}"`));
  expect(unknown).toEqual([]);
  expect(binary.includes('yaml:"monitor-intervall"')).toBe(false);
});

test("a mistyped key does not compile", () => {
  const config = litestreamConfig(example, "0007-0a1b2c3d");
  // @ts-expect-error -- Litestream would ignore it in silence.
  const mistyped: LitestreamConfig = { ...config, "shutdown-sync-timout": "20s" };
  // @ts-expect-error -- the monitor interval belongs to the database.
  const misplaced: LitestreamConfig = { ...config, "monitor-interval": "1s" };
  expect([mistyped, misplaced]).toHaveLength(2);
});

test.each([
  [6, { interval: "6h", retention: "6h" }],
  [24, { interval: "24h", retention: "24h" }],
  [168, { interval: "24h", retention: "168h" }],
])(
  "what is kept for %d hours has a snapshot a day, or one in every retention that is shorter",
  (retentionHours, snapshot) => {
    expect(litestreamConfig({ ...example, retentionHours }, "0007-0a1b2c3d").snapshot).toEqual(snapshot);
  },
);

test("with the real Litestream, a commit is uploaded by itself within the replication interval", async () => {
  await using site = await openSite(100);
  site.write("one");
  const uploaded = async () => ((await countFiles(site, "0000")) > 0 ? true : null);
  await waitFor("the upload that nobody asked for", uploaded, { timeoutMs: waitMs });
  expect(await site.restoreBodies()).toEqual(["one"]);
});

test("with a long replication interval nothing is uploaded unless a sync asks for it", async () => {
  await using site = await openSite(3_600_000);
  await waitFor("Litestream", async () => site.sync(), { timeoutMs: waitMs });
  site.write("one");
  await sleep(1_500);
  expect(await site.restoreBodies()).toEqual([]);
  await site.sync();
  expect(await site.restoreBodies()).toEqual(["one"]);
});

test("the sync interval is what uploads, the monitor interval only stages", async () => {
  await using site = await openSite(100, (config) => withReplica(config, { "sync-interval": "1h" }));
  await waitFor("Litestream", async () => site.sync(), { timeoutMs: waitMs });
  const stagedBefore = countStaged(site);
  site.write("one");
  await waitFor("the staging", async () => (countStaged(site) > stagedBefore ? true : null), { timeoutMs: waitMs });
  await sleep(500);
  expect(await site.restoreBodies()).toEqual([]);
});

test(
  "levels and retention are obeyed: level 1 gathers the files of level 0, which then go",
  { timeout: 60_000 },
  async () => {
    const hasty = { levels: [{ interval: "1s" }], "l0-retention": "1s", "l0-retention-check-interval": "1s" };
    await using site = await openSite(100, (config) => ({ ...config, ...hasty }));
    for (let write = 0; write < 20; write += 1) {
      site.write(`row ${write}`);
      await sleep(60);
    }
    const gathered = async () => {
      const [levelZero, levelOne] = [await countFiles(site, "0000"), await countFiles(site, "0001")];
      return levelOne > 0 && levelZero === 1 ? true : null;
    };
    await waitFor("the compaction", gathered, { timeoutMs: waitMs });
    expect(await site.restoreBodies()).toHaveLength(20);
  },
);

test.each([
  { pages: 100, forces: true },
  { pages: litestreamConfig(example, "0007-0a1b2c3d").dbs[0]["truncate-page-n"], forces: false },
])(
  "while a reader holds a snapshot, a blocking checkpoint is forced with truncate-page-n $pages: $forces",
  { timeout: 60_000 },
  async ({ pages, forces }) => {
    await using site = await openSite(100, ({ dbs: [db], ...config }) => ({
      ...config,
      dbs: [{ ...db, "min-checkpoint-page-count": 50, "truncate-page-n": pages }],
    }));
    await waitFor("Litestream", async () => site.sync(), { timeoutMs: waitMs });
    const reader = openDatabase(site.machine.files.database, "reader");
    reader.exec("begin; select count(*) from notes");
    for (let write = 0; write < 400; write += 1) site.write("x".repeat(8_000));
    await sleep(2_000);
    await site.sync();
    reader.close();
    expect(readFileSync(site.litestreamLog, "utf8").includes("forcing truncate checkpoint")).toBe(forces);
  },
);

test("the control socket is ours alone, the log is JSON, and it tells the intervals of our levels", async () => {
  await using site = await openSite(1_000);
  await waitFor("Litestream", async () => site.sync(), { timeoutMs: waitMs });
  expect(statSync(site.machine.files.litestreamSocket).mode & 0o777).toBe(0o600);
  const lines = readFileSync(site.litestreamLog, "utf8").trim().split("\n");
  const events = lines.map((line) => parseJson(EventSchema, line, "a line of Litestream's log"));
  const monitors = events.filter(({ msg }) => msg === "starting compaction monitor");
  const secondsByLevel = { 1: 30, 2: 600, 3: 3_600, 9: 86_400 };
  expect(monitors).toHaveLength(4);
  for (const [level, seconds] of Object.entries(secondsByLevel)) {
    expect(monitors).toContainEqual(expect.objectContaining({ level: Number(level), interval: seconds * 1e9 }));
  }
});

const EventSchema = Type.Object({ time: Type.String(), msg: Type.String() });

/** A site whose Litestream runs with our configuration, or with one that a test has changed within its type. */
async function openSite(
  replicationIntervalMs: number,
  change = (config: LitestreamConfig) => config,
): Promise<ReplicaSite> {
  const site = await ReplicaSite.open(store.access);
  const config = litestreamConfig({ ...site.machine, replicationIntervalMs }, site.mark.epoch);
  writeFileSync(site.machine.files.litestreamConfig, JSON.stringify(change(config)));
  chmodSync(site.machine.files.litestreamConfig, 0o600);
  site.startLitestream();
  return site;
}

function withReplica(
  config: LitestreamConfig,
  replaced: Partial<LitestreamConfig["dbs"][0]["replica"]>,
): LitestreamConfig {
  const [db] = config.dbs;
  return { ...config, dbs: [{ ...db, replica: { ...db.replica, ...replaced } }] };
}

async function countFiles({ bucket, mark }: ReplicaSite, level: string): Promise<number> {
  let count = 0;
  for await (const key of bucket.list(`epochs/${mark.epoch}/${level}/`)) count += key.endsWith(".ltx") ? 1 : 0;
  return count;
}

function countStaged({ machine }: ReplicaSite): number {
  return readdirSync(join(machine.files.litestreamState, "ltx", "0")).length;
}

/** The paths of keys that are not in the tree. */
function findStrangers(value: unknown, tree: Tree | null): string[] {
  if (Array.isArray(value)) return value.flatMap((item) => findStrangers(item, tree));
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => {
    const subtree = tree?.[key];
    if (subtree === undefined) return [key];
    return findStrangers(inner, subtree).map((path) => `${key}.${path}`);
  });
}

function listKeys(tree: Tree): string[] {
  return Object.entries(tree).flatMap(([key, subtree]) => [key].concat(subtree === null ? [] : listKeys(subtree)));
}
