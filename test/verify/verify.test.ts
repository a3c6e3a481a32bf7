import { execFileSync } from "node:child_process";

import Database from "better-sqlite3";
import { afterAll, beforeAll, expect, test } from "vitest";

import { waitFor } from "../../app/cli/wait-for.ts";
import { openDatabase } from "../../app/database/open-database.ts";
import type { Site } from "../replica/site.ts";
import { type Decide, StoreProxy } from "../replica/store-proxy.ts";
import { World } from "../replica/world.ts";
import { hangFiles, isFile, laptop, makeWhole, onMachine, verifyIn } from "./verify-scene.ts";

let world: World;
let whole: Site;
let epoch: string;
let files: string[];

beforeAll(async () => {
  world = await World.open();
  ({ site: whole, epoch, files } = await makeWhole(world));
}, 60_000);
afterAll(() => world[Symbol.asyncDispose]());

test("a sound replica passes, says before what it takes, and leaves a report in the bucket", async () => {
  const found = await verifyIn(world, laptop(world, whole));
  expect(found).toMatchObject({ outcome: "pass", epoch, checks: [{ outcome: "pass", copy: { tables: 2 } }] });
  expect(found.printed).toMatch(/^needs 0\.0 MB in .*; about \d+ requests; 1 minutes at most$/m);
  expect(found.printed).toContain("integrity_check and foreign_key_check ok");
  const key = `reports/verify-${found.startedAt}.json`;
  expect(JSON.parse((await whole.bucket.get(key)).text)).toMatchObject({
    outcome: "pass",
    bucket: whole.config.bucket,
  });
});

const change = (site: Site, key: string | undefined, edit: (bytes: Uint8Array) => Uint8Array) =>
  site.readBytes(key ?? "").then((bytes) => site.writeBytes(key ?? "", edit(bytes)));
const damages: [claim: string, damage: (site: Site) => Promise<unknown>, cause: RegExp][] = [
  ["whose files are gone", (site) => site.remove(/^epochs\/.*\.ltx$/), /every file of epochs\/.* is gone/],
  ["whose base is missing", (site) => site.remove(new RegExp(files[0] ?? "")), /epochs\//],
  ["with a gap", (site) => site.remove(new RegExp(files.at(-3) ?? "")), /epochs\//],
  ["with a truncated file", (site) => change(site, files[2], (bytes) => bytes.subarray(0, bytes.length / 2)), /restor/],
  [
    "with flipped bytes",
    (site) => change(site, files[2], (bytes) => bytes.map((byte, at) => (at > 120 && at < 200 ? byte ^ 0xff : byte))),
    /restor/,
  ],
  ["with a file of another TXID", (site) => copyKey(site, files[1], files[3]), /restor/],
  ["without a head", (site) => site.remove(/^head\.json$/), /no head\.json/],
  ["with a head that is no head", (site) => site.writeBytes("head.json", "{}"), /head\.json/],
  ["without a sentinel", (site) => site.remove(/^lifeboat\.json$/), /no lifeboat\.json/],
];

async function copyKey(site: Site, from = "", to = ""): Promise<void> {
  await site.writeBytes(to, await site.readBytes(from));
}

test.each(damages)("a replica %s fails, with the cause and what to do", async (_, damage, cause) => {
  const site = await whole.copy();
  await damage(site);
  const found = await verifyIn(world, laptop(world, site));
  expect(found).toMatchObject({ outcome: "fail" });
  expect(found.cause).toMatch(cause);
  expect(found.next).not.toBeNull();
  expect(found.printed).toContain("[FAIL]");
  await site.discard();
});

const refusal = (code: string, status: number) => ({
  status,
  body: `<?xml version="1.0"?><Error><Code>${code}</Code><Message>${code}</Message></Error>`,
  headers: { "content-type": "application/xml" },
});
const stores: [claim: string, decide: Decide, outcome: string, cause: RegExp][] = [
  ["denies everything", () => refusal("AccessDenied", 403), "fail", /key-refused/],
  ["does not know the key", () => refusal("InvalidAccessKeyId", 403), "fail", /key-unknown/],
  ["denies the files", ({ path }) => (isFile(path) ? refusal("AccessDenied", 403) : "pass"), "fail", /AccessDenied/],
  ["is away", () => "drop", "inconclusive", /unreachable/],
  ["is overloaded", () => refusal("SlowDown", 503), "inconclusive", /throttled|unreachable/],
  ["does not send the files", hangFiles, "inconclusive", /--limit|no progress/],
  ["never answers", () => "hang", "inconclusive", /unreachable/],
];

test.each(stores)(
  "a store that %s is told as what it is",
  async (_, decide, outcome, cause) => {
    await using proxy = await StoreProxy.start(world.store.access.endpoint, decide);
    const place = laptop(world, whole, { ...whole.config, endpoint: proxy.endpoint });
    const found = await verifyIn(world, place, { limitMs: 8_000 });
    expect(found).toMatchObject({ outcome });
    expect(found.cause).toMatch(cause);
    expect(found.durationMs).toBeLessThan(25_000);
  },
  60_000,
);

/** Litestream makes its first snapshot some seconds after it starts, from local files: that would mend a damage. */
async function waitForSnapshot(site: Site, own: string): Promise<void> {
  const probe = async () => ((await site.keys(`epochs/${own}/0009/`)).length > 0 ? true : null);
  await waitFor("the first snapshot", probe, { timeoutMs: 25_000 });
}

/** The newest file of an epoch, the only one that has the newest state. */
async function findNewest(site: Site, own: string): Promise<string> {
  const newest = (await site.keys(`epochs/${own}/0000/`)).toSorted().at(-1) ?? "";
  const end = newest.slice(-20);
  const holders = (await site.keys(`epochs/${own}/`)).filter((key) => key.endsWith(end));
  expect(holders, "compaction was quicker").toEqual([newest]);
  return newest;
}

test("on the machine all rows are compared with the live database, and a newest file that is missing fails", async () => {
  const site = await world.makeSite();
  const machine = world.newMachine(site);
  const { epoch: own } = await machine.boot();
  await using life = await machine.live();
  await life.writeReplicated(1);
  await waitForSnapshot(site, own ?? "");
  await life.writeReplicated(4);
  const sound = await verifyIn(world, onMachine(machine));
  expect(sound).toMatchObject({ outcome: "pass", notCompared: null, checks: [{ compared: { whole: true } }] });
  expect(sound.printed).toContain("as in the live database");
  // All that is left still lists as whole.
  await site.remove(new RegExp(await findNewest(site, own ?? "")));
  expect(await verifyIn(world, laptop(world, site))).toMatchObject({ outcome: "pass" });
  expect(await verifyIn(world, onMachine(machine))).toMatchObject({ outcome: "fail" });
}, 60_000);

test("a file of another epoch under the same name fails on the machine", async () => {
  const site = await world.makeSite();
  const first = world.newMachine(site);
  const { epoch: before } = await first.boot();
  const earlier = await first.live();
  await earlier.writeReplicated(8);
  await earlier.crash();
  const machine = world.newMachine(site);
  const { epoch: own } = await machine.boot();
  await using life = await machine.live();
  await life.writeReplicated(1);
  await waitForSnapshot(site, own ?? "");
  await life.writeReplicated(4);
  const newest = await findNewest(site, own ?? "");
  await copyKey(site, newest.replace(own ?? "", before ?? ""), newest);
  expect(await verifyIn(world, onMachine(machine))).toMatchObject({ outcome: "fail" });
}, 60_000);

/** Changes bytes on the disk, in another process: closing the file in this one would drop SQLite's locks. */
const changeOnDisk = `const { openSync, readFileSync, writeSync } = require("node:fs");
const [, path, from, to] = process.argv;
const at = readFileSync(path).indexOf(from);
if (at === -1) throw new Error("not there");
writeSync(openSync(path, "r+"), to, at);`;

test("a row that differs at the same commit fails, where all checks and the commit sequence agree", async () => {
  const site = await world.makeSite();
  const machine = world.newMachine(site);
  await machine.boot();
  await using life = await machine.live();
  life.write("a price of 100");
  await life.replicate();
  const other = openDatabase(life.databasePath, "writer");
  // Then what reads anew reads the file, and not the WAL.
  other.pragma("wal_checkpoint(PASSIVE)");
  other.close();
  execFileSync(process.execPath, ["-e", changeOnDisk, life.databasePath, "a price of 100", "a price of 900"]);
  expect(machine.texts()).toEqual(["a price of 900"]);
  const found = await verifyIn(world, onMachine(machine));
  expect(found).toMatchObject({ outcome: "fail" });
  expect(found.cause).toContain("table notes differs within its first 1 rows");
}, 60_000);

const ruins: [claim: string, statements: string, cause: RegExp][] = [
  [
    "an index that does not agree with its table",
    `create index texts on notes (text); pragma writable_schema = on;
     update sqlite_schema set sql = 'create index texts on notes (text desc)' where name = 'texts'`,
    /integrity_check/,
  ],
  [
    "a row without its parent",
    "pragma foreign_keys = off; create table lines (note integer references notes (id)); insert into lines values (77)",
    /foreign_key_check: lines row 1 refers to no row of notes/,
  ],
];

test.each(ruins)(
  "%s, which quick_check does not see, fails",
  async (_, statements, cause) => {
    const site = await world.makeSite();
    const machine = world.newMachine(site);
    await machine.boot();
    await using life = await machine.live();
    life.write("b", "a", "c");
    const other = new Database(life.databasePath); // not ours: it may do what no command of ours can
    other.unsafeMode(true);
    other.pragma("wal_autocheckpoint = 0");
    other.exec(statements);
    other.close();
    await life.replicate();
    const found = await verifyIn(world, onMachine(machine));
    expect(found).toMatchObject({ outcome: "fail" });
    expect(found.cause).toMatch(cause);
  },
  60_000,
);

test("states of the past are restored too, the oldest first, and each is another one", async () => {
  const site = await whole.copy();
  // As after compactions: each file of level 0 is one of level 1, too.
  for (const key of files) await copyKey(site, key, key.replace("/0000/", "/0001/"));
  const found = await verifyIn(world, laptop(world, site), { points: 3 });
  expect(found).toMatchObject({ outcome: "pass" });
  expect(new Set(found.checks.map(({ txid }) => txid)).size).toBe(4);
  const [newest = 0, ...past] = found.checks.map(({ copy }) => copy?.sequence ?? 0);
  expect(past).toEqual(past.toSorted((one, other) => one - other));
  expect(past.at(-1)).toBeLessThan(newest);
  // The second of them is damaged: only a restore of the past finds it, or of what comes later.
  await change(site, files[3]?.replace("/0000/", "/0001/"), (bytes) => bytes.subarray(0, bytes.length / 2));
  await change(site, files[3], (bytes) => bytes.subarray(0, bytes.length / 2));
  const damaged = await verifyIn(world, laptop(world, site), { points: 100 });
  expect(damaged).toMatchObject({ outcome: "fail" });
  const outcomes = damaged.checks.map(({ outcome }) => outcome);
  expect(outcomes).toEqual(["fail", "pass", "pass", "pass", ...outcomes.slice(4).map(() => "fail")]);
}, 60_000);
