import { statSync } from "node:fs";

import { afterAll, beforeAll, expect, test } from "vitest";

import type { BucketConfig } from "../../../app/replica/bucket.ts";
import { openPatientStore } from "../../../scripts/cloud/open-client.ts";
import { fetchDatabaseSize, renderSmallVolume } from "../../../scripts/up/volume-room.ts";
import { World } from "../../replica/world.ts";

const gibibyte = 1024 ** 3;

let world: World;
beforeAll(async () => {
  world = await World.open();
});
afterAll(() => world[Symbol.asyncDispose]());

async function readSize(config: BucketConfig): Promise<number | null> {
  const environment = {
    LIFEBOAT_BUCKET: config.bucket,
    LIFEBOAT_REGION: config.region,
    LIFEBOAT_ENDPOINT: config.endpoint,
    LIFEBOAT_PATH_STYLE: "true",
    LIFEBOAT_ACCESS_KEY_ID: config.accessKeyId,
  };
  using store = await openPatientStore(environment, async () => config.secretAccessKey);
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
