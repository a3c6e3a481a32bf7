import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";

import { DeleteObjectCommand, GetObjectCommand, PutObjectCommand, type S3Client } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, expect, test } from "vitest";

import { deployPolicy, userPolicyLimit } from "../../infra/policies/access-policy.ts";
import { writeDesiredRelease } from "../../scripts/deploy/desired-release.ts";
import { listReleases } from "../../scripts/deploy/list-releases.ts";
import { uploadRelease } from "../../scripts/deploy/upload-release.ts";
import { claimDeploy, fetchReport, fetchStandingWish } from "../../scripts/deploy/wish.ts";
import { type SeaweedStore, startSeaweedStore } from "../../scripts/local/seaweed-store.ts";
import { type CloudStore, openCloudStore } from "../../scripts/store/open-client.ts";
import { fetchOwnedSentinel } from "../../scripts/store/sentinel.ts";
import { StoreProxy } from "../replica/store-proxy.ts";
import { makeBucket, makeLimitedKey, openS3, type Key } from "./limited-key.ts";

const Bucket = "boats";
const sha256 = "9".repeat(64);
const builtSha256 = createHash("sha256")
  .update(readFileSync(import.meta.filename))
  .digest("hex");

let store: SeaweedStore;
let owner: S3Client;
let key: Key;
let ci: S3Client;
beforeAll(async () => {
  store = await startSeaweedStore({ iamApi: true });
  await makeBucket(store.access, Bucket);
  owner = openS3(store.access, store.access);
  key = await makeLimitedKey(store.access, "deploys", deployPolicy(Bucket));
  ci = openS3(store.access, key);
  for (const Key of [
    "lifeboat.json",
    "head.json",
    "epochs/1/a",
    "recovery.json",
    "reports/boot/x",
    "reports/deploys/x",
    "files/one",
  ])
    await owner.send(new PutObjectCommand({ Bucket, Key, Body: '{"format":1,"bucketId":"12345678"}' }));
}, 60_000);
afterAll(() => store[Symbol.asyncDispose]());

const put = (Key: string) => ci.send(new PutObjectCommand({ Bucket, Key, Body: "x" }));

test.each(["releases/a.tar.gz", "wanted-release.json", "desired-release.json"])(
  "the deploy key writes %s",
  async (Key) => {
    await put(Key);
    await ci.send(new GetObjectCommand({ Bucket, Key }));
    await expect(ci.send(new DeleteObjectCommand({ Bucket, Key }))).rejects.toThrow("Access Denied");
  },
);

test.each([
  "head.json",
  "epochs/1/a",
  "lifeboat.json",
  "recovery.json",
  "reports/deploys/x",
  "reports/boot/x",
  "files/one",
])("the deploy key cannot write %s", async (Key) => {
  await expect(put(Key)).rejects.toThrow("Access Denied");
});

test.each(["head.json", "epochs/1/a", "recovery.json", "reports/boot/x", "files/one"])(
  "the deploy key cannot read %s",
  async (Key) => {
    await expect(ci.send(new GetObjectCommand({ Bucket, Key }))).rejects.toThrow("Access Denied");
  },
);

test("the policy has room at AWS, also with the longest name of a bucket", () => {
  expect(JSON.stringify(deployPolicy("b".repeat(63))).length).toBeLessThan(userPolicyLimit);
});

test("it may list only the prefixes that a deploy reads", () => {
  const { Statement } = deployPolicy(Bucket);
  const list = Statement.find(({ Action }) => Action.includes("s3:ListBucket"));
  expect(list?.Condition).toEqual({
    StringLike: {
      "s3:prefix": ["releases/*", "wanted-release.json", "desired-release.json", "reports/deploys/*", "lifeboat.json"],
    },
  });
});

test("a whole deploy needs no other right, at a store that says forbidden for missing, as Amazon does", async () => {
  const missing = new Set(["wanted-release.json", "desired-release.json"]);
  for (const Key of missing) await owner.send(new DeleteObjectCommand({ Bucket, Key }));
  const forbidden = { status: 403, body: "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>" };
  await using amazon = await StoreProxy.start(store.access.endpoint, ({ method, path }) => {
    const name = new URL(path, "http://x").pathname.slice(Bucket.length + 2);
    if (method === "PUT") missing.delete(name);
    return method === "GET" && (missing.has(name) || name.startsWith("reports/deploys/2")) ? forbidden : "pass";
  });
  using place = await openPlace(amazon.endpoint);
  expect((await fetchOwnedSentinel(place))?.bucketId).toBe("12345678");
  expect(await fetchStandingWish(place)).toBeUndefined();
  expect(await uploadRelease(place, { sha256: builtSha256, path: import.meta.filename })).toBeGreaterThan(0);
  const { deploy } = await claimDeploy(place, { sha256, by: "ci", way: "bucket" });
  expect(await fetchReport(place, deploy)).toBeUndefined();
  expect((await fetchStandingWish(place))?.wish.deploy).toBe(deploy);
  expect(await writeDesiredRelease(place, sha256)).toEqual({ sha256, previous: null });
  expect((await listReleases(place)).map((release) => release.sha256)).toEqual([builtSha256]);
});

function openPlace(endpoint: string): Promise<CloudStore> {
  const place = {
    LIFEBOAT_BUCKET: Bucket,
    LIFEBOAT_REGION: store.access.region,
    LIFEBOAT_ENDPOINT: endpoint,
    LIFEBOAT_PATH_STYLE: "true",
    LIFEBOAT_ACCESS_KEY_ID: key.accessKeyId,
  };
  return openCloudStore(place, async () => key.secretAccessKey);
}
