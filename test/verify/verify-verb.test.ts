import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { afterAll, beforeAll, expect, test } from "vitest";

import { waitFor } from "../../app/cli/wait-for.ts";
import { machinePolicy } from "../../infra/policies/access-policy.ts";
import { startSeaweedStore } from "../../scripts/local/seaweed-store.ts";
import { makeLimitedKey } from "../infra/limited-key.ts";
import { readText } from "../printed/documents.ts";
import type { Site } from "../replica/site.ts";
import { StoreProxy } from "../replica/store-proxy.ts";
import { World } from "../replica/world.ts";
import { runLifeboat } from "../verbs/run-lifeboat.ts";
import { hangFiles, laptop, makeDirectory, makeWhole, startVerb, verifyIn } from "./verify-scene.ts";

let world: World;
let whole: Site;

beforeAll(async () => {
  world = await World.open(await startSeaweedStore({ iamApi: true }));
  whole = (await makeWhole(world)).site;
}, 60_000);
afterAll(() => world[Symbol.asyncDispose]());

test("limits that would be passed end it before anything is restored", async () => {
  const place = laptop(world, whole);
  const cases = [
    [{ mostRequests: 3 }, /more than 3/, "--requests"],
    [{ mostBytes: 100 }, /more than 100/, "--disk"],
    [{ limitMs: 1 }, /./, ""],
  ] as const;
  for (const [limit, cause, flag] of cases) {
    const found = await verifyIn(world, place, limit);
    expect(found).toMatchObject({ outcome: "inconclusive", checks: [] });
    expect(found.cause).toMatch(cause);
    expect(found.next).toContain(flag);
  }
  expect(await verifyIn(world, place, { dryRun: true })).toMatchObject({ outcome: "planned", checks: [] });
});

test("a key that may only read is enough, by the policy of the guide, and writes nothing", async () => {
  const [, policy = ""] = /```json\n(.*?)```/s.exec(readText("docs/guide/verify.md")) ?? [];
  const Policy = JSON.parse(policy.replaceAll("BUCKET", whole.config.bucket));
  const key = await makeLimitedKey(world.store.access, "verifier", Policy);
  const before = await whole.keys();
  const config = { ...whole.config, ...key };
  const words = ["--deep", "--limit", "50m", "--json", "--directory", makeDirectory(world)];
  const run = startVerb({ config, bucketId: whole.bucketId }, words);
  const { stdout, stderr, code } = await run.ended;
  expect(code, stderr).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ outcome: "pass", checks: [{ outcome: "pass" }] });
  expect(stderr).toContain("no report in the bucket: this key may not write it");
  expect(await whole.keys()).toEqual(before);
  const machineKey = await makeLimitedKey(world.store.access, "machine", machinePolicy(whole.config.bucket));
  const found = await verifyIn(world, laptop(world, whole, { ...whole.config, ...machineKey }));
  expect(found).toMatchObject({ outcome: "pass" });
  expect(found.printed).toContain(`report: reports/verify-${found.startedAt}.json`);
});

test.each(["SIGKILL", "SIGTERM", "SIGINT"] as const)(
  "a verification that %s ends in the middle leaves neither files nor processes",
  async (signal) => {
    await using proxy = await StoreProxy.start(world.store.access.endpoint, hangFiles);
    const directory = makeDirectory(world);
    const config = { ...whole.config, endpoint: proxy.endpoint };
    const { child, ended } = startVerb({ config, bucketId: whole.bucketId }, ["--directory", directory]);
    await waitFor("Litestream to wait", async () => (proxy.hanging > 0 ? true : null), { timeoutMs: 20_000 });
    expect(readdirSync(directory)).toHaveLength(1);
    child.kill(signal);
    await ended;
    await waitFor("the end of all that it made", async () => (readdirSync(directory).length === 0 ? true : null), {
      timeoutMs: 10_000,
    });
    expect(listCommands().filter((command) => command.includes(directory))).toEqual([]);
  },
  60_000,
);

function listCommands(): string[] {
  return readdirSync("/proc")
    .filter((pid) => /^\d+$/.test(pid))
    .flatMap((pid) => {
      try {
        return [readFileSync(join("/proc", pid, "cmdline"), "utf8")];
      } catch {
        return [];
      }
    });
}

test("the verb tells outcomes by exit codes, and what is wrong with a command line", async () => {
  const broken = await whole.copy();
  await broken.remove(/^epochs\//);
  const failed = await startVerb(broken, []).ended;
  expect([failed.code, failed.stderr]).toEqual([
    2,
    expect.stringMatching(/^verify: FAIL in .*every file .*\n {2}next: /),
  ]);
  const nowhere = { ...whole.config, endpoint: "http://127.0.0.1:9" };
  const away = await startVerb({ bucketId: whole.bucketId, config: nowhere }, []).ended;
  expect([away.code, away.stderr]).toEqual([3, expect.stringMatching(/^verify: INCONCLUSIVE .*\n {2}next: /)]);
  for (const words of [
    ["--points", "3"],
    ["--deep", "--points", "x"],
    ["--limit", "10"],
    ["--disk", "1"],
    ["--no-such"],
  ]) {
    const wrong = await startVerb(whole, words).ended;
    expect([wrong.code, wrong.stdout]).toEqual([64, ""]);
    expect(wrong.stderr).toContain(words.at(0) === "--deep" ? "--points" : words[0]);
  }
}, 60_000);

test("lifeboat verify compares with the database of the machine that it runs on, without stopping its writes", async () => {
  const site = await world.makeSite();
  const machine = world.newMachine(site);
  await machine.boot();
  await using life = await machine.live();
  await life.writeReplicated(2);
  const { bucket, files, bucketId, machineId, litestreamPath } = machine.machine;
  const environment = {
    LIFEBOAT_DATA_DIR: files.dataDirectory,
    LIFEBOAT_RUN_DIR: files.runDirectory,
    LIFEBOAT_MACHINE_ID: machineId,
    LIFEBOAT_LITESTREAM: litestreamPath,
    LIFEBOAT_BUCKET_ID: bucketId,
    LIFEBOAT_BUCKET: bucket.bucket,
    LIFEBOAT_REGION: bucket.region,
    LIFEBOAT_ENDPOINT: bucket.endpoint,
    LIFEBOAT_API_TOKENS_SHA256: "0".repeat(64),
    LITESTREAM_ACCESS_KEY_ID: bucket.accessKeyId,
    LITESTREAM_SECRET_ACCESS_KEY: bucket.secretAccessKey,
  };
  const words = ["verify", "--json", "--directory", makeDirectory(world)];
  const { status, stdout, stderr } = runLifeboat(words, environment);
  expect(status, stderr).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({
    outcome: "pass",
    by: machineId,
    notCompared: null,
    checks: [{ compared: { whole: true, tables: 2 } }],
  });
  await life.writeReplicated(1);
  await life.stopCleanly();
  const stopped = runLifeboat(words, environment);
  expect([stopped.status, stopped.stderr]).toEqual([
    0,
    expect.stringContaining("[WARN] not compared with a live database"),
  ]);
});
