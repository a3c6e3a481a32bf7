import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";

import { afterAll, beforeAll, expect, test } from "vitest";

import { openBucket } from "../../app/replica/bucket.ts";
import { appSources, bundleApp, type AppBundle } from "../../scripts/build/bundle-app.ts";
import { StoreProxy, type Fate } from "../replica/store-proxy.ts";
import type { TestMachine } from "../replica/test-machine.ts";
import { World } from "../replica/world.ts";

let world: World;
let bundle: AppBundle;
beforeAll(async () => {
  world = await World.open();
  bundle = await bundleApp(appSources, join(world.directory, "app"));
});
afterAll(() => world[Symbol.asyncDispose]());

/** Runs boot as the supervisor does. */
async function runBoot(environment: Record<string, string>): Promise<{ code: number; output: string }> {
  try {
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [bundle.boot], {
      env: environment,
      timeout: 30_000,
    });
    return { code: 0, output: stdout + stderr };
  } catch (error) {
    if (
      !(
        error instanceof Error &&
        "code" in error &&
        typeof error.code === "number" &&
        "stdout" in error &&
        "stderr" in error
      )
    )
      throw error;
    return { code: error.code, output: `${String(error.stdout)}${String(error.stderr)}` };
  }
}

function environmentOf({ machine }: TestMachine): Record<string, string> {
  const { bucket, files } = machine;
  return {
    PATH: process.env["PATH"] ?? "",
    LIFEBOAT_DATA_DIR: files.dataDirectory,
    LIFEBOAT_RUN_DIR: files.runDirectory,
    LIFEBOAT_BUCKET: bucket.bucket,
    LIFEBOAT_REGION: bucket.region,
    LIFEBOAT_ENDPOINT: bucket.endpoint ?? "",
    LIFEBOAT_BUCKET_ID: machine.bucketId,
    LITESTREAM_ACCESS_KEY_ID: bucket.accessKeyId,
    LITESTREAM_SECRET_ACCESS_KEY: bucket.secretAccessKey,
    LIFEBOAT_MACHINE_ID: machine.machineId,
    LIFEBOAT_LITESTREAM: machine.litestreamPath,
    LIFEBOAT_API_TOKENS_SHA256: "0".repeat(64),
  };
}

test("boot ends with 0 when the machine may serve, and logs no secret", async () => {
  const site = await world.makeSite();
  const a = world.newMachine(site);
  // Uploaded files are not part of the history.
  await openBucket(site.config).put("files/an-upload", "x");
  const { code, output } = await runBoot(environmentOf(a));
  expect([code, output]).toEqual([0, expect.stringContaining("boot done")]);
  expect(output).not.toContain(a.machine.bucket.secretAccessKey);
});

test("boot ends with 78 when the environment does not describe a machine", async () => {
  const { code, output } = await runBoot({ PATH: process.env["PATH"] ?? "" });
  expect([code, output]).toEqual([
    78,
    expect.stringMatching(/LIFEBOAT_DATA_DIR is missing.*LIFEBOAT_BUCKET_ID is missing/),
  ]);
});

test("boot ends with 100 when it refuses, and the log names cause and next step", async () => {
  const a = world.newMachine(await world.makeSite());
  const { code, output } = await runBoot({ ...environmentOf(a), LIFEBOAT_BUCKET_ID: "another-stack" });
  expect([code, output]).toEqual([100, expect.stringMatching(/another-stack.*check the bucket's name/)]);
});

test("boot ends with 101 when another machine wins the claim", async () => {
  const site = await world.makeSite();
  const [a, b] = [world.newMachine(site), world.newMachine(site)];
  await using proxy = await StoreProxy.start(world.store.access.endpoint, async ({ method, path }): Promise<Fate> => {
    if (method === "PUT" && path.includes("/head.json")) await a.boot();
    return "pass";
  });
  b.reconnect({ endpoint: proxy.endpoint });
  const { code, output } = await runBoot(environmentOf(b));
  expect([code, output]).toEqual([101, expect.stringContaining(a.machine.machineId)]);
});

test("boot ends with 0 although its claim reaches the store only at the second try", async () => {
  const a = world.newMachine(await world.makeSite());
  let isFirst = true;
  await using proxy = await StoreProxy.start(world.store.access.endpoint, ({ method, path }) => {
    if (method !== "PUT" || !path.includes("/head.json") || !isFirst) return "pass";
    isFirst = false;
    return "drop";
  });
  a.reconnect({ endpoint: proxy.endpoint });
  const { code, output } = await runBoot(environmentOf(a));
  expect([code, output]).toEqual([0, expect.stringContaining("the claim is not settled")]);
});
