import { createServer } from "node:http";

import { expect, test } from "vitest";

import { openBucket } from "../../app/replica/bucket.ts";
import { listenOnLoopback } from "../../scripts/local/listen-on-loopback.ts";

/** A try of a page has 500 ms, then 2 s, then all. */
const limits = { callMs: 500, answerMs: 400, listMs: 10_000 };
const listing = "<ListBucketResult><KeyCount>1</KeyCount><Contents><Key>one</Key></Contents></ListBucketResult>";

/** What becomes of a LIST: its answer comes after so many milliseconds, or never, or is a refusal. */
type Fate = number | "lost" | "refused";

/** Stands for a store that answers each GET at once; its LISTs meet these fates, one after the other. */
async function openStore(fates: Fate[]) {
  const lists: string[] = [];
  const http = createServer((request, response) => {
    if (request.url?.includes("list-type") !== true) {
      response.writeHead(404).end();
      return;
    }
    const fate = fates[lists.length] ?? 0;
    lists.push(request.url);
    if (fate === "refused") response.writeHead(403).end();
    else if (fate !== "lost") setTimeout(() => response.end(listing), fate);
  });
  const listener = await listenOnLoopback(http);
  const key = { accessKeyId: "id", secretAccessKey: "secret" };
  const config = { bucket: "bucket", region: "auto", endpoint: listener.url, pathStyle: true, ...key };
  return { ...listener, lists, bucket: openBucket(config, limits) };
}

test("a LIST that is lost while the store answers is sent again, long before the limit for a slow one", async () => {
  await using store = await openStore(["lost", "lost"]);
  const startedAt = performance.now();
  expect(await Array.fromAsync(store.bucket.list("epochs/"))).toEqual(["one"]);
  expect(performance.now() - startedAt).toBeLessThan(6_000);
  expect(store.lists).toHaveLength(3);
  // A lost request says nothing about the speed of the store.
  expect(store.bucket.longestListMs()).toBeLessThan(400);
});

test("the longest listing is the slowest page that arrived, and the next one gets as much time at once", async () => {
  await using store = await openStore([400, "refused", 700, 900]);
  const { bucket } = store;
  expect(bucket.longestListMs()).toBe(0);
  await Array.fromAsync(bucket.list(""));
  expect(bucket.longestListMs()).toBeGreaterThanOrEqual(390);
  const before = bucket.longestListMs();
  await expect(Array.fromAsync(bucket.list(""))).rejects.toThrow("key-refused");
  expect(bucket.longestListMs()).toBe(before);
  await Array.fromAsync(bucket.list(""));
  await bucket.listTop();
  expect(bucket.longestListMs()).toBeGreaterThanOrEqual(890);
  expect(store.lists).toHaveLength(4);
});

test("a LIST that fails after a long wait does not count as a page", async () => {
  await using store = await openStore(["lost", "refused"]);
  await expect(Array.fromAsync(store.bucket.list(""))).rejects.toThrow("key-refused");
  expect(store.bucket.longestListMs()).toBe(0);
});
