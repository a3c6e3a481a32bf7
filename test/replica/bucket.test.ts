import { afterAll, beforeAll, expect, test } from "vitest";

import { type Bucket, openBucket } from "../../app/replica/bucket.ts";
import type { BucketConfig } from "../../app/replica/s3-client.ts";
import { prepareBucket } from "../../scripts/local/bucket-preparation.ts";
import { type SeaweedStore, startSeaweedStore } from "../../scripts/local/seaweed-store.ts";
import { StoreProxy } from "./bucket-proxy.ts";

let store: SeaweedStore;
let config: BucketConfig;
let bucket: Bucket;
beforeAll(async () => {
  store = await startSeaweedStore();
  config = (await prepareBucket(store.access, null)).config;
  bucket = openBucket(config);
});
afterAll(() => store[Symbol.asyncDispose]());

const oddKeys = [
  "a b+c",
  "plus+and%2Bpercent",
  "quotes'\"",
  "<xml>&amp;",
  "zürich/e\u0301/日本語/🛟",
  "a=b&c?d#e;f",
  "!*'()~@,:$",
  "trailing ",
];

test("what was put is read back as it was, under keys with any characters", async () => {
  for (const key of oddKeys) {
    const text = `content of ${key}`;
    const etag = await bucket.put(`odd/${key}`, text);
    expect(await bucket.get(`odd/${key}`)).toEqual({ text, etag });
  }
  expect((await listAll("odd/")).toSorted()).toEqual(oddKeys.map((key) => `odd/${key}`).toSorted());
});

test("a prefix with more keys than a page holds is listed whole, and only it", { timeout: 60_000 }, async () => {
  const keys = Array.from({ length: 1_100 }, (_, number) => `pages/${String(number).padStart(4, "0")}`);
  const queue = [...keys];
  const clients = Array.from({ length: 16 }, async () => {
    for (let key = queue.pop(); key !== undefined; key = queue.pop()) await bucket.put(key, "x");
  });
  await Promise.all(clients);
  await bucket.put("pages-not/0000", "x");
  await using proxy = await StoreProxy.start(store.access.endpoint);
  const listed = await listAll("pages/", openBucket({ ...config, endpoint: proxy.endpoint }));
  expect(listed).toEqual(keys);
  expect(proxy.seen).toHaveLength(2);
});

test("an empty prefix is an empty list, and a prefix is no pattern", async () => {
  await bucket.put("found/one", "x");
  expect(await listAll("fou*")).toEqual([]);
  expect(await listAll("nothing/")).toEqual([]);
});

test("the top of the bucket shows objects and folders", async () => {
  await bucket.put("folder/deep/key", "x");
  const top = await bucket.listTop();
  expect(top).toEqual(expect.arrayContaining(["lifeboat.json", "folder/"]));
  expect(top.filter((name) => name.startsWith("folder/"))).toEqual(["folder/"]);
});

test("a conditional PUT wins only against what it names", async () => {
  const first = await bucket.put("swap", "one", { ifNoneMatch: "*" });
  await expect(bucket.put("swap", "two", { ifNoneMatch: "*" })).rejects.toMatchObject({ kind: "precondition-failed" });
  const second = await bucket.put("swap", "two", { ifMatch: first });
  expect(second).not.toBe(first);
  await expect(bucket.put("swap", "three", { ifMatch: first })).rejects.toMatchObject({ kind: "precondition-failed" });
  expect(await bucket.get("swap")).toEqual({ text: "two", etag: second });
});

test("of many conditional PUTs against one ETag exactly one wins", { timeout: 60_000 }, async () => {
  const etag = await bucket.put("race", "start");
  const racers = Array.from({ length: 8 }, (_, racer) => bucket.put("race", `racer ${racer}`, { ifMatch: etag }));
  const results = await Promise.allSettled(racers);
  const won = results.filter(({ status }) => status === "fulfilled");
  const lost = results.filter(({ status }) => status === "rejected");
  expect(won).toHaveLength(1);
  expect(lost).toEqual(
    lost.map(() => ({ status: "rejected", reason: expect.objectContaining({ kind: "precondition-failed" }) })),
  );
});

test("If-Match on an object that is not there writes nothing", async () => {
  await expect(bucket.put("absent", "x", { ifMatch: '"00000000000000000000000000000000"' })).rejects.toMatchObject({
    kind: expect.stringMatching(/^(missing|precondition-failed)$/),
  });
  expect(await listAll("absent")).toEqual([]);
});

test("a wrong secret is refused for good, an unknown key for now", async () => {
  const wrong = openBucket({ ...config, secretAccessKey: "wrong" });
  const unknown = openBucket({ ...config, accessKeyId: "nobody" });
  for (const call of callsOf(wrong)) await expect(call()).rejects.toMatchObject({ kind: "key-refused" });
  for (const call of callsOf(unknown)) await expect(call()).rejects.toMatchObject({ kind: "key-unknown" });
});

test("the start of an object is as long as was asked for, or as the object", async () => {
  await bucket.put("start", "0123456789");
  expect(Buffer.from(await bucket.getStart("start", 4)).toString()).toBe("0123");
  expect(Buffer.from(await bucket.getStart("start", 100)).toString()).toBe("0123456789");
  await expect(bucket.getStart("nothing", 4)).rejects.toMatchObject({ kind: "missing" });
});

test("a missing object and a missing bucket are missing", async () => {
  await expect(bucket.get("nothing")).rejects.toMatchObject({ kind: "missing" });
  const elsewhere = openBucket({ ...config, bucket: "mistyped" });
  for (const call of callsOf(elsewhere)) await expect(call()).rejects.toMatchObject({ kind: "missing" });
});

test("an error names what was asked, of which store, and the store's own words, but no secret", async () => {
  const wrong = openBucket({ ...config, secretAccessKey: "a-wrong-secret" });
  const error: unknown = await wrong.get("some/key").catch((thrown: unknown) => thrown);
  expect(String(error)).toContain(
    `GET some/key (${config.endpoint}, bucket ${config.bucket}): key-refused (SignatureDoesNotMatch`,
  );
  expect(String(error)).not.toContain("a-wrong-secret");
});

function callsOf(called: Bucket): (() => Promise<unknown>)[] {
  return [
    () => called.get("lifeboat.json"),
    () => called.getStart("lifeboat.json", 5),
    () => called.put("k", "v"),
    () => listAll("", called),
    () => called.listTop(),
  ];
}

async function listAll(prefix: string, listed = bucket): Promise<string[]> {
  const keys: string[] = [];
  for await (const key of listed.list(prefix)) keys.push(key);
  return keys;
}
