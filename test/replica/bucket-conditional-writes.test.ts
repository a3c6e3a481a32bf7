import { expect, test } from "vitest";

import { openBucket } from "../../app/replica/bucket.ts";
import { probeConditionalWrites } from "../../app/replica/conditional-writes.ts";
import { prepareBucket } from "../../scripts/local/bucket-preparation.ts";
import { startSeaweedStore } from "../../scripts/local/seaweed-store.ts";
import { startUnconditionalStore } from "./bucket-double.ts";
import { StoreProxy } from "./bucket-proxy.ts";

const anyKeys = { bucket: "b", region: "us-east-1", pathStyle: true, accessKeyId: "key", secretAccessKey: "secret" };

test("a store that honours conditions can fence, also when it is probed again by the same and by another machine", async () => {
  await using store = await startSeaweedStore();
  const { config } = await prepareBucket(store.access, null);
  for (const machine of ["one", "one", "two"]) {
    expect(await probeConditionalWrites(openBucket(config), machine)).toBe("enforced");
  }
});

test.each(["ignored", "not-implemented"] as const)(
  "on a store where conditions are %s the fence is advisory",
  async (conditions) => {
    await using store = await startUnconditionalStore(conditions);
    const bucket = openBucket({ ...anyKeys, endpoint: store.endpoint });
    expect(await probeConditionalWrites(bucket, "one")).toBe("advisory");
  },
);

test("a store that honours only one of the two conditions cannot fence", async () => {
  let puts = 0;
  // The first two are the object itself and a swap with its right ETag; then one of the two conditions is kept.
  const judge = () => ((puts += 1) === 3 ? { status: 412 } : { status: 200, headers: { etag: '"e"' } });
  await using proxy = await StoreProxy.start(null, judge);
  expect(await probeConditionalWrites(openBucket({ ...anyKeys, endpoint: proxy.endpoint }), "one")).toBe("advisory");
});

test.each([
  { answer: { status: 503 }, kind: "unreachable" },
  { answer: { status: 403 }, kind: "key-refused" },
  { answer: { status: 200, headers: { "content-type": "text/html" }, body: "<html>" }, kind: "not-a-store" },
])("a store that answers $answer.status leaves open whether it can fence", async ({ answer, kind }) => {
  await using proxy = await StoreProxy.start(null, () => answer);
  const probing = probeConditionalWrites(openBucket({ ...anyKeys, endpoint: proxy.endpoint }), "one");
  await expect(probing).rejects.toMatchObject({ kind });
});

test("a store that fails after the first PUT leaves it open too", async () => {
  let puts = 0;
  await using proxy = await StoreProxy.start(null, () =>
    (puts += 1) === 1 ? { status: 200, headers: { etag: '"e"' } } : { status: 503 },
  );
  const probing = probeConditionalWrites(openBucket({ ...anyKeys, endpoint: proxy.endpoint }), "one");
  await expect(probing).rejects.toMatchObject({ kind: "unreachable" });
});
