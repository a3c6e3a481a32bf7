import { statSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

import { afterAll, beforeAll, expect, test } from "vitest";

import type { BucketConfig } from "../../../app/replica/s3-client.ts";
import { openPatientStore } from "../../../scripts/store/open-client.ts";
import { fetchDatabaseSize, renderSmallVolume, warnOfSmallVolume } from "../../../scripts/up/volume-room.ts";
import { type Fate, StoreProxy } from "../../replica/store-proxy.ts";
import { World } from "../../replica/world.ts";

const gibibyte = 1024 ** 3;

let world: World;
beforeAll(async () => {
  world = await World.open();
});
afterAll(() => world[Symbol.asyncDispose]());

function environmentOf(config: BucketConfig): Record<string, string> {
  return {
    LIFEBOAT_BUCKET: config.bucket,
    LIFEBOAT_REGION: config.region,
    LIFEBOAT_ENDPOINT: config.endpoint ?? "",
    LIFEBOAT_PATH_STYLE: "true",
    LIFEBOAT_ACCESS_KEY_ID: config.accessKeyId,
  };
}

async function readSize(config: BucketConfig): Promise<number | null> {
  using store = await openPatientStore(environmentOf(config), async () => config.secretAccessKey);
  return fetchDatabaseSize(store);
}

test("the bucket tells how large the database is, also when the newest epoch never got a base", async () => {
  const site = await world.makeSite();
  const { config } = site;
  expect(await readSize(config)).toBeNull();
  const a = world.newMachine(site);
  await a.liveAndCrash({ replicated: ["x".repeat(300_000)] });
  const size = await readSize(config);
  const b = world.newMachine(site);
  await b.boot();
  expect(size).toBe(statSync(b.files.database).size);
  expect(await readSize(config)).toBe(size);
});

test("a volume with less than three times the database is warned of, with the setting that mends it", () => {
  expect(renderSmallVolume(3 * gibibyte, 10)).toBeNull();
  expect(renderSmallVolume(4.7 * gibibyte, 10)).toMatch(/4\.7 GB.*10 GB.*volumeSizeGb 15$/);
});

test("a listing that takes long is waited for as long as was said, and no longer", async () => {
  const site = await world.makeSite();
  await world.newMachine(site).liveAndCrash({ replicated: ["x".repeat(300_000)] });
  await using proxy = await StoreProxy.start(site.config.endpoint ?? "");
  proxy.decide = async ({ path }): Promise<Fate> => {
    if (path.includes("list-type")) await sleep(2_000);
    return "pass";
  };
  const stack = {
    name: "production",
    workspace: { projectSettings: async () => ({ name: "lifeboat" }) },
    // So small that there is something to warn of.
    getAllConfig: async () => ({ "lifeboat:volumeSizeGb": { value: "0" } }),
    getConfig: async () => ({ value: site.config.secretAccessKey }),
  };
  const plan = { storeEnvironment: environmentOf({ ...site.config, endpoint: proxy.endpoint }) };
  expect(await warnOfSmallVolume(stack, plan)).toContain("the database has 0.0 GB");
  expect(await warnOfSmallVolume(stack, plan, 1_000)).toMatch(/could not be told: .*1000 ?ms/i);
});
