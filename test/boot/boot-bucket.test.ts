import { existsSync, readFileSync } from "node:fs";

import { afterAll, beforeAll, expect, test } from "vitest";

import type { TestMachine } from "../replica/test-machine.ts";
import { World } from "../replica/world.ts";

let world: World;
beforeAll(async () => {
  world = await World.open();
});
afterAll(() => world[Symbol.asyncDispose]());

/** A bucket whose last machine replicated "one", "two", "three" in files of their own, and died. */
async function makeDeadWithThreeFiles() {
  const site = await world.makeSite();
  const a = world.newMachine(site);
  const { epoch } = await a.boot();
  const life = await a.live();
  for (const text of ["one", "two", "three"]) {
    life.write(text);
    await life.replicate();
  }
  await life.crash();
  a.losePower();
  const files = (await site.keys(`epochs/${epoch}/0000/`)).toSorted();
  expect(files.length).toBeGreaterThanOrEqual(3);
  return { site, a, epoch, files };
}

/** Nothing that the app or Litestream could start with. */
function expectNothingServed({ files }: TestMachine): void {
  expect([existsSync(files.database), existsSync(files.mark), existsSync(files.litestreamConfig)]).toEqual([
    false,
    false,
    false,
  ]);
}

test.concurrent("a file missing in the middle of a living epoch refuses, and names the gap", async () => {
  const { site, files } = await makeDeadWithThreeFiles();
  await site.remove(/\/000[1-9]\//).catch(() => []);
  await site.remove(new RegExp(files.at(-2) ?? "nothing"));
  const b = world.newMachine(site);
  const report = await b.boot();
  expect(report).toMatchObject({
    outcome: "refused",
    row: 7,
    cause: expect.stringMatching(/nothing continues TXID [0-9a-f]{16}/),
  });
  expect(JSON.parse(readFileSync(b.files.bootReport, "utf8"))).toEqual(report);
  expectNothingServed(b);
});

test.concurrent("a file cut in half refuses with Litestream's own words, and once it is whole again the next boot goes on", async () => {
  const { site, files, epoch } = await makeDeadWithThreeFiles();
  const [base = ""] = files;
  const bytes = await site.readBytes(base);
  await site.remove(/\/000[1-9]\//).catch(() => []);
  await site.writeBytes(base, bytes.subarray(0, bytes.length / 2));
  const b = world.newMachine(site);
  expect(await b.boot()).toMatchObject({
    outcome: "refused",
    row: 11,
    cause: expect.stringMatching(/restoring epoch .*EOF/),
    next: expect.stringContaining(`epochs/${epoch}/`),
  });
  expectNothingServed(b);
  expect(existsSync(b.files.restored)).toBe(false);
  expect(await b.boot()).toMatchObject({ outcome: "refused", row: 10 });
  await site.writeBytes(base, bytes);
  expect(await b.boot()).toMatchObject({ outcome: "claimed", row: 10, content: "restored", parent: epoch });
  expect(b.texts()).toEqual(["one", "two", "three"]);
});

test.concurrent("a kept volume supplies the newest file when that was deleted from the bucket", async () => {
  const { site, a, files } = await makeDeadWithThreeFiles();
  await site.remove(new RegExp(files.at(-1) ?? "nothing"));
  expect(await a.boot()).toMatchObject({ outcome: "claimed", row: 11, content: "volume" });
  expect(a.texts()).toEqual(["one", "two", "three"]);
});

test.concurrent("without a volume boot cannot tell that the newest file was deleted: only a comparison of content can", async () => {
  const { site, a, files } = await makeDeadWithThreeFiles();
  await site.remove(/\/000[1-9]\//).catch(() => []);
  await site.remove(new RegExp(files.at(-1) ?? "nothing"));
  a.loseDisk();
  expect(await a.boot()).toMatchObject({ outcome: "claimed", row: 11, content: "restored" });
  expect(a.texts()).toEqual(["one", "two"]);
});

test.concurrent("the bucket of another stack refuses, and so does one that was never made for Lifeboat", async () => {
  const { site } = await makeDeadWithThreeFiles();
  const stranger = world.newMachine(site);
  stranger.machine = { ...stranger.machine, bucketId: "another-stack" };
  expect(await stranger.boot()).toMatchObject({
    outcome: "refused",
    row: 2,
    cause: expect.stringContaining("another-stack"),
    next: expect.stringContaining("LIFEBOAT_BUCKET_ID"),
  });
  await site.remove(/^lifeboat\.json$/);
  const b = world.newMachine(site);
  expect(await b.boot()).toMatchObject({ outcome: "refused", row: 2, cause: expect.stringContaining("lifeboat.json") });
  expectNothingServed(b);
});

test.concurrent.each([
  ["a wrong secret", { secretAccessKey: "wrong" }, /key-refused/],
  ["a bucket that is not there", { bucket: "mistyped-bucket" }, /missing/],
])("%s refuses at once", async (_, connection, cause) => {
  const b = world.newMachine(await world.makeSite());
  b.reconnect(connection);
  expect(await b.boot()).toMatchObject({
    outcome: "refused",
    row: 2,
    cause: expect.stringMatching(cause),
    next: expect.stringContaining("key"),
  });
  expect(b.events.map(({ event }) => event)).not.toContain("the store does not answer, waiting");
  expectNothingServed(b);
});

test.concurrent("a key that the store does not know yet is tried again before it refuses, and no secret is told", async () => {
  const b = world.newMachine(await world.makeSite());
  b.reconnect({ accessKeyId: "unknown", secretAccessKey: "very-secret-words" });
  const report = await b.boot({ limits: { unknownKeyMs: 2_000, maxBackoffMs: 250 } });
  expect(report).toMatchObject({ outcome: "refused", row: 2, cause: expect.stringContaining("key-unknown") });
  expect(b.events.filter(({ event }) => event === "the store does not answer, waiting").length).toBeGreaterThan(0);
  expect(JSON.stringify([report, b.events])).not.toContain("very-secret-words");
});

test.concurrent.each(["{}", "<html></html>", "", '{"epoch":"0001","state":"gone"}'])(
  "a head that holds %j refuses and stays",
  async (text) => {
    const { site } = await makeDeadWithThreeFiles();
    await site.writeBytes("head.json", text);
    const b = world.newMachine(site);
    expect(await b.boot()).toMatchObject({
      outcome: "refused",
      row: 2,
      cause: expect.stringContaining("head.json"),
      next: expect.stringContaining("head.json"),
    });
    expect((await site.bucket.get("head.json")).text).toBe(text);
    expectNothingServed(b);
  },
);
