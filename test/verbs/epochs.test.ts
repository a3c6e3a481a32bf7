import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";

import { afterAll, beforeAll, expect, test } from "vitest";

import { readDatabase } from "../../app/database/open-database.ts";
import { fetchHead } from "../../app/replica/head.ts";
import { type EpochView, fetchEpochs, renderEpochs } from "../../app/verbs/epochs.ts";
import { readArguments, restore, writeState } from "../../app/verbs/restore.ts";
import type { Site } from "../replica/site.ts";
import type { TestMachine } from "../replica/test-machine.ts";
import { World } from "../replica/world.ts";

const run = promisify(execFile);
const root = dirname(dirname(import.meta.dirname));
let world: World;
let folder: string;
let site: Site;
let machine: TestMachine;
let moment: string;
let epochs: EpochView[];

// One machine, another one after its disk was lost, and a restore of an earlier state.
beforeAll(async () => {
  world = await World.open();
  folder = mkdtempSync(join(tmpdir(), "lifeboat-epochs-"));
  site = await world.makeSite();
  machine = world.newMachine(site);
  await machine.liveAndStop(["one"]);
  moment = new Date().toISOString();
  await machine.liveAndStop(["two"]);
  await machine.liveAndStop(["more"]);
  machine.loseDisk();
  machine.becomeAnother();
  await machine.liveAndStop(["three"]);
  await restore(readArguments(["--at", moment, "--yes", "--json"], Date.now()), machine.machine);
  await machine.liveAndStop(["four"]);
  epochs = await fetchEpochs(site.bucket);
});
afterAll(async () => {
  rmSync(folder, { recursive: true });
  await world[Symbol.asyncDispose]();
});

test("each life is told with its parent, and a state that somebody asked for with its TXID; head's serves", async () => {
  const { head } = await fetchHead(site.bucket);
  const [first, second, third, ...others] = epochs;
  expect(others).toEqual([]);
  expect(first).toMatchObject({ parent: null, state: null, missing: null });
  expect(second).toMatchObject({ parent: { epoch: first?.epoch }, state: null, missing: null });
  expect(second?.parent?.txid).toBeUndefined();
  expect(third).toMatchObject({ epoch: head.epoch, parent: { epoch: first?.epoch }, state: "living", missing: null });
  expect(third?.parent?.txid).toMatch(/^[0-9a-f]{16}$/);
  expect(Number(first?.oldest?.at)).toBeLessThan(Date.parse(moment));
  expect(Number(first?.newest?.at)).toBeGreaterThan(Date.parse(moment));
});

test("what is told as the newest state of a life can be restored, and is that", async () => {
  const last = [
    ["one", "two", "more"],
    ["one", "two", "more", "three"],
    ["one", "four"],
  ];
  for (const [index, { newest }] of epochs.entries()) {
    const to = join(folder, `${index}.db`);
    const target = { kind: "point", epoch: newest?.epoch ?? "", txid: newest?.txid ?? "" } as const;
    await writeState({ target, to, json: true }, machine.machine);
    const texts = readDatabase(to, (db) => db.prepare<[], string>("select text from notes order by id").pluck().all());
    expect(texts).toEqual(last[index]);
  }
});

test("the table draws them along one line of time, and says what to type", () => {
  const lines = renderEpochs(epochs).split("\n");
  expect(lines[0]).toMatch(/^EPOCH +FROM +OLDEST STATE \(UTC\) +NEWEST STATE \(UTC\) +WHEN +TXID +WHAT IT IS$/);
  expect(lines[1]).toMatch(/^0001-\w+ +nothing +20\d\d-/);
  expect(lines[3]).toMatch(/^0003-\w+ +0001-\w+ at [0-9a-f]+ .*it serves, \d+ states?$/);
  const starts = lines.slice(1, 4).map((line) => line.indexOf("="));
  expect(starts).toEqual(starts.toSorted((one, other) => one - other));
  expect(lines.at(-1)).toContain("npm run restore -- --at TIME");
});

test("a laptop needs only a key that reads the bucket, and the machine its own", async () => {
  const { bucket, region, endpoint = "", accessKeyId, secretAccessKey } = machine.machine.bucket;
  const place = { LIFEBOAT_BUCKET: bucket, LIFEBOAT_REGION: region, LIFEBOAT_ENDPOINT: endpoint };
  const keys = { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey };
  const env = { PATH: process.env["PATH"], ...place, ...keys };
  const { stdout } = await run(process.execPath, [join(root, "scripts/epochs.ts"), "--json"], { env });
  expect(JSON.parse(stdout).epochs).toEqual(JSON.parse(JSON.stringify(epochs)));
  const own = {
    ...env,
    LIFEBOAT_DATA_DIR: machine.files.dataDirectory,
    LIFEBOAT_RUN_DIR: machine.files.runDirectory,
    LIFEBOAT_BUCKET_ID: site.bucketId,
    LITESTREAM_ACCESS_KEY_ID: accessKeyId,
    LITESTREAM_SECRET_ACCESS_KEY: secretAccessKey,
    LIFEBOAT_MACHINE_ID: "machine",
    LIFEBOAT_API_TOKENS_SHA256: "0".repeat(64),
  };
  const told = await run(process.execPath, [join(root, "app/lifeboat.ts"), "epochs"], { env: own });
  expect(told.stdout).toBe(`${renderEpochs(epochs)}\n`);
});

test("a file that is missing is told as a gap, and the states before it stay", async () => {
  const broken = await site.copy();
  const [first] = epochs;
  await broken.remove(new RegExp(`${first?.epoch}/0000/.*-0{15}2\\.ltx$`));
  const [view] = await fetchEpochs(broken.bucket);
  expect(view?.missing).toMatch(/^nothing continues TXID 0{15}1,/);
  expect([first?.newest?.txid, view?.newest?.txid]).toEqual(["0000000000000003", "0000000000000001"]);
  expect(renderEpochs([view].filter((one) => one !== undefined))).toContain("a gap: nothing continues TXID");
  await broken.discard();
});

test("a bucket from which nobody has served says so", async () => {
  const empty = await world.makeSite();
  const found = await fetchEpochs(empty.bucket);
  expect(found).toEqual([]);
  expect(renderEpochs(found)).toBe("the bucket holds no epoch: no machine has served from it yet");
});

test("a store that does not answer is an error, not an empty table", async () => {
  const { config } = site;
  const env = {
    PATH: process.env["PATH"],
    LIFEBOAT_BUCKET: config.bucket,
    LIFEBOAT_REGION: config.region,
    LIFEBOAT_ENDPOINT: "http://127.0.0.1:9",
    AWS_ACCESS_KEY_ID: config.accessKeyId,
    AWS_SECRET_ACCESS_KEY: config.secretAccessKey,
  };
  const typed = run(process.execPath, [join(root, "scripts/epochs.ts")], { env });
  await expect(typed).rejects.toMatchObject({ code: 1, stdout: "", stderr: expect.stringMatching(/^epochs: /) });
});
