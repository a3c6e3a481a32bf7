import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, expect, test } from "vitest";

import { appSources, bundleApp } from "../../scripts/build/bundle-app.ts";
import { resolveBinary } from "../../scripts/build/resolve-binary.ts";
import { Machine } from "../../scripts/drill/machine.ts";
import { prepareBucket, removeBucket } from "../../scripts/local/bucket-preparation.ts";
import { Leftovers } from "../../scripts/local/leftovers.ts";
import { startSeaweedStore } from "../../scripts/local/seaweed-store.ts";

const timeout = 120_000;

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "lifeboat-machine-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true, maxRetries: 20 }));

test("a machine that boot refuses is reported at once, with the last lines of its log", { timeout }, async () => {
  await using store = await startSeaweedStore();
  const { config } = await prepareBucket(store.access, null);
  const bucket = { bucket: config, bucketId: "of-another-bucket", token: "token" };
  const app = await bundleApp(appSources, join(directory, "app"));
  const place = { directory, app, leftovers: new Leftovers(), litestream: await resolveBinary("litestream") };
  await using machine = await Machine.switchOn("a", { ...place, ...bucket });
  await expect(machine.waitUntilReady(60_000)).rejects.toThrow("boot ended with 100");
  expect(await machine.readLastWords()).toMatch(/last lines of boot\.log[\s\S]*boot refused/);
});

test("a bucket that holds something is not drilled in", { timeout }, async () => {
  await using store = await startSeaweedStore();
  const { config } = await prepareBucket(store.access, null);
  await expect(prepareBucket(store.access, config.bucket)).rejects.toThrow(/holds lifeboat\.json/);
});

test("a bucket that the drill made is removed with all versions of what it holds", { timeout }, async () => {
  await using store = await startSeaweedStore();
  const prepared = await prepareBucket(store.access, null);
  await removeBucket(prepared);
  await expect(prepareBucket(store.access, prepared.config.bucket)).rejects.toThrow(/bucket/i);
});

test("a temporary directory whose name is too long for a socket is refused in words", async () => {
  const long = join(directory, "x".repeat(100));
  const bucket = { bucket: "b", region: "r", pathStyle: true, accessKeyId: "k", secretAccessKey: "s" };
  const site = {
    directory: long,
    app: { boot: "/boot", lifeboat: "/lifeboat", main: "/main" },
    leftovers: new Leftovers(),
    litestream: "/litestream",
    bucket,
  };
  await expect(Machine.switchOn("a", { ...site, bucketId: "id", token: "token" })).rejects.toThrow(/set TMPDIR/);
});
