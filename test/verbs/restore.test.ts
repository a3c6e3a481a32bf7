import { execFile } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";

import { afterAll, beforeAll, expect, test, vi } from "vitest";

import { Refused } from "../../app/cli/command-line.ts";
import { UsageError } from "../../app/cli/flags.ts";
import { readDatabase } from "../../app/database/open-database.ts";
import { fetchHead } from "../../app/replica/head.ts";
import { lockDirectory } from "../../app/replica/lock.ts";
import { readArguments, restore } from "../../app/verbs/restore.ts";
import { resolveBinary } from "../../scripts/build/resolve-binary.ts";
import type { TestMachine } from "../replica/test-machine.ts";
import { World } from "../replica/world.ts";

const run = promisify(execFile);
const root = dirname(dirname(import.meta.dirname));
const now = Date.parse("2026-11-27T12:00:00Z");
let world: World;
let folder: string;
let said: string[];
let stopped: Awaited<ReturnType<typeof makeStopped>>;

beforeAll(async () => {
  world = await World.open();
  folder = mkdtempSync(join(tmpdir(), "lifeboat-verb-"));
  said = [];
  vi.spyOn(process.stdout, "write").mockImplementation((text) => said.push(String(text)) > 0);
  vi.spyOn(process.stderr, "write").mockImplementation(() => true);
  stopped = await makeStopped();
});
afterAll(async () => {
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true });
  await world[Symbol.asyncDispose]();
});

/** A machine that wrote "one" and, after the moment, "two", and stopped cleanly. */
async function makeStopped() {
  const site = await world.makeSite();
  const a = world.newMachine(site);
  await a.liveAndStop(["one"]);
  const moment = new Date().toISOString();
  await a.liveAndStop(["two"]);
  return { site, a, moment };
}

/** Types `restore` on a machine. Returns the object of --json. */
async function type(machine: TestMachine, ...words: string[]): Promise<Record<string, unknown>> {
  said.length = 0;
  await restore(readArguments([...words, "--json"], Date.now()), machine.machine);
  const report: Record<string, unknown> = JSON.parse(said.at(-1) ?? "");
  return report;
}

const withNotes = (rows: number): unknown => expect.arrayContaining([{ table: "notes", rows }]);
const textsIn = (path: string): string[] =>
  readDatabase(path, (db) => db.prepare<[], string>("select text from notes order by id").pluck().all());

test("orders an earlier state on a stopped machine, which the next boot restores, and undo orders the state before", async () => {
  const { site, a, moment } = await makeStopped();
  const ordered = await type(a, "--at", moment, "--yes");
  expect(ordered).toMatchObject({ isDone: false, newEpoch: null });
  expect(await a.boot()).toMatchObject({ row: 12, restoredTxid: ordered["txid"], parent: ordered["epoch"] });
  expect(a.texts()).toEqual(["one"]);
  await a.liveAndStop(["three"]);
  await type(a, "--undo", "--yes");
  await a.boot();
  expect(a.texts()).toEqual(["one", "two"]);
  expect((await fetchHead(site.bucket)).head.epoch).toMatch(/^0003-/);
});

test("says what would be given up, and changes nothing in a dry run", async () => {
  const { a, moment } = stopped;
  const before = readdirSync(a.files.dataDirectory).toSorted();
  const plan = await type(a, "--at", moment, "--dry-run");
  expect(plan).toMatchObject({ isDone: false, present: { tables: withNotes(2) }, earlier: { tables: withNotes(1) } });
  expect(readdirSync(a.files.dataDirectory).toSorted()).toEqual(before);
});

test("writes a state into a file, with nothing but the bucket, and only a new one", async () => {
  const { a, site, moment } = stopped;
  const laptop = world.newMachine(site);
  const copy = join(folder, "copy.db");
  await type(laptop, "--at", moment, "--to", copy);
  expect(readdirSync(folder)).toEqual(["copy.db"]);
  expect(textsIn(copy)).toEqual(["one"]);
  await expect(type(laptop, "--at", moment, "--to", copy)).rejects.toThrow(/is there already.*--to/);
  await expect(type(laptop, "--at", "0s", "--to", join(folder, "no", "copy.db"))).rejects.toThrow(
    /is no directory.*--to/,
  );
  expect(readdirSync(folder).filter((name) => name.startsWith("."))).toEqual([]);
  expect(existsSync(a.files.restoreOrder)).toBe(false);
});

test("a TXID names a state as a log does", async () => {
  const { a, moment } = stopped;
  const { txid, epoch } = await type(a, "--at", moment, "--dry-run");
  expect(await type(a, "--txid", String(txid), "--epoch", String(epoch), "--dry-run")).toMatchObject({ txid, epoch });
  const file = join(folder, "by-txid.db");
  await type(a, "--epoch", String(epoch), "--txid", String(txid), "--to", file);
  expect(textsIn(file)).toEqual(["one"]);
});

test("a laptop needs only a key that reads the bucket, and so does Litestream alone", async () => {
  const { site, moment } = stopped;
  const { bucket, region, endpoint = "", accessKeyId, secretAccessKey } = stopped.a.machine.bucket;
  const { head } = await fetchHead(site.bucket);
  const env = {
    PATH: process.env["PATH"],
    LIFEBOAT_BUCKET: bucket,
    LIFEBOAT_REGION: region,
    LIFEBOAT_ENDPOINT: endpoint,
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
  };
  const file = join(folder, "laptop.db");
  await run(process.execPath, [join(root, "scripts/restore.ts"), "--at", moment, "--to", file], { env });
  expect(textsIn(file)).toEqual(["one"]);

  const keys = { LITESTREAM_ACCESS_KEY_ID: accessKeyId, LITESTREAM_SECRET_ACCESS_KEY: secretAccessKey };
  const url = `s3://${bucket}/epochs/${head.epoch}?endpoint=${endpoint}&forcePathStyle=true&region=${region}`;
  const alone = join(folder, "alone.db");
  await run(await resolveBinary("litestream"), ["restore", "-o", alone, url], { env: { ...keys } });
  expect(textsIn(alone)).toEqual(["one", "two"]);
});

const refusals: [claim: string, words: () => string[], why: RegExp][] = [
  ["a moment before the first", () => ["--at", "2020-01-01T00:00Z"], /does not reach back.*--at 20\d\d-/],
  ["a TXID at which no file ends", () => ["--txid", "00000000000fffff"], /can be restored not at.*files end at.*--at/],
  ["an epoch that is not there", () => ["--epoch", "0009-ffffffff"], /no epoch 0009-ffffffff; it has 0001-/],
  ["an undo of nothing", () => ["--undo"], /nobody has restored an earlier state.*--at/],
  ["a question that nobody can answer", () => ["--at", stopped.moment], /no terminal.*add --yes/],
];

test.each(refusals)("refuses %s, and leaves no order", async (_, words, why) => {
  const { a } = stopped;
  const typed = type(a, ...words());
  await expect(typed).rejects.toThrow(why);
  await expect(typed).rejects.toThrow(Refused);
  expect(existsSync(a.files.restoreOrder)).toBe(false);
});

test("refuses while the app runs, and on a machine that does not serve", async () => {
  const { a, site, moment } = stopped;
  const held = lockDirectory(a.files.lock);
  await expect(type(a, "--at", moment, "--yes")).rejects.toThrow(/in use.*stop it first/);
  expect(await type(a, "--at", moment, "--dry-run")).toMatchObject({ isDone: false });
  held[Symbol.dispose]();
  const other = world.newMachine(site);
  mkdirSync(other.files.runDirectory, { recursive: true });
  await expect(type(other, "--at", moment, "--yes")).rejects.toThrow(/served by machine .*, not by this one.*--to/);
});

test("refuses after a stop that was not clean, because the bucket may lack what came last", async () => {
  const a = world.newMachine(await world.makeSite());
  await a.liveAndCrash({ replicated: ["one"], onDisk: ["two"] });
  await expect(type(a, "--at", "0s", "--yes")).rejects.toThrow(/did not stop cleanly.*start it again/);
});

const misunderstood: [words: string[], why: RegExp][] = [
  [[], /say which state/],
  [["--at", "10m", "--undo"], /one of them only/],
  [["--at", "yesterday"], /neither a time/],
  [["--at", "2026-11-25T09:59"], /with its zone/],
  [["--at", "2026-13-25T09:59Z"], /with its zone/],
  [["--at", "2026-11-28T09:59Z"], /still to come/],
  [["--txid", "12x"], /not a TXID/],
  [["--at", "10m", "--to", "x", "--yes"], /--to: it changes nothing/],
  [["--at", "10m", "now"], /now/],
  [["--when", "10m"], /when/],
];

test.each(misunderstood)("does not guess what %j means", (words, why) => {
  expect(() => readArguments(words, now)).toThrow(UsageError);
  expect(() => readArguments(words, now)).toThrow(why);
});

test.each([
  ["10m", "2026-11-27T11:50:00.000Z"],
  ["36h", "2026-11-26T00:00:00.000Z"],
  ["2026-11-25T09:59Z", "2026-11-25T09:59:00.000Z"],
  ["2026-11-25T10:59:30+01:00", "2026-11-25T09:59:30.000Z"],
])("understands --at %s", (given, moment) => {
  expect(readArguments(["--at", given], now).target).toEqual({ kind: "moment", moment: new Date(moment) });
});
