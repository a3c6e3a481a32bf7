import { createHash, randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";

import {
  CreateBucketCommand,
  GetBucketLifecycleConfigurationCommand,
  GetBucketVersioningCommand,
  GetObjectCommand,
} from "@aws-sdk/client-s3";
import { afterAll, beforeAll, expect, test } from "vitest";

import { historyRules } from "../../../infra/config/store-config.ts";
import { MachineBucket } from "../../../scripts/store/machine-bucket.ts";
import { openS3 } from "../../infra/limited-key.ts";
import { StoreProxy } from "../../replica/store-proxy.ts";
import { denied, notImplemented, ScriptedStore } from "../store/scripted-store.ts";

const otherSha256 = "1".repeat(64);

let store: ScriptedStore;
beforeAll(async () => {
  store = await ScriptedStore.open();
});
afterAll(() => store[Symbol.asyncDispose]());

test("a store without object tags is accepted, and gets a text and a release by our own script", async () => {
  const bucket = await store.newBucket();
  await using proxy = await StoreProxy.start(store.access.endpoint, ({ path }) =>
    path.includes("tagging") ? notImplemented : "pass",
  );
  const there = { LIFEBOAT_OWNER: "boat/one", LIFEBOAT_ENDPOINT: proxy.endpoint };
  const made = await store.run("make-sentinel.ts", bucket, there);
  expect(made).toMatchObject({ code: 0, stderr: "" });
  const upload = (environment: Record<string, string>) =>
    store.run("upload-object.ts", bucket, { ...there, LIFEBOAT_BUCKET_ID: made.stdout, ...environment });
  const text = { LIFEBOAT_KEY: "card.txt", LIFEBOAT_CONTENT_TYPE: "text/plain", LIFEBOAT_TEXT: "one\ntwo\n" };
  const bytes = readFileSync(import.meta.filename);
  const release = {
    LIFEBOAT_KEY: "releases/x.tar.gz",
    LIFEBOAT_CONTENT_TYPE: "application/gzip",
    LIFEBOAT_FILE: import.meta.filename,
    LIFEBOAT_SHA256: createHash("sha256").update(bytes).digest("hex"),
  };
  const [carded, released, changed, strange] = await Promise.all([
    upload(text),
    upload(release),
    upload({ ...release, LIFEBOAT_KEY: "releases/y.tar.gz", LIFEBOAT_SHA256: otherSha256 }),
    upload({ ...text, LIFEBOAT_KEY: "z", LIFEBOAT_BUCKET_ID: "of-another-bucket" }),
  ]);
  expect(carded).toMatchObject({ code: 0, stderr: "", stdout: "card.txt" });
  expect(released).toMatchObject({ code: 0, stderr: "", stdout: "releases/x.tar.gz" });
  expect([changed.code, changed.stderr]).toEqual([1, expect.stringContaining(`but ${otherSha256} was built`)]);
  expect([strange.code, strange.stderr]).toEqual([1, expect.stringContaining("another bucket")]);
  const s3 = openS3(store.access, store.access);
  const found = await s3.send(new GetObjectCommand({ Bucket: bucket, Key: "releases/x.tar.gz" }));
  expect(found.ContentType).toBe("application/gzip");
  expect(await found.Body?.transformToString()).toBe(bytes.toString());
  const card = await s3.send(new GetObjectCommand({ Bucket: bucket, Key: "card.txt" }));
  expect(await card.Body?.transformToString()).toBe("one\ntwo\n");
  expect(await store.listKeys(bucket)).toEqual(["card.txt", "lifeboat.json", "releases/x.tar.gz"]);
});

const rules = { LIFEBOAT_HISTORY_RULES: JSON.stringify(historyRules) };

test("a bucket that we make gets versions and a lifecycle: three days under epochs/, thirty elsewhere, orphaned markers removed, nothing current", async () => {
  const Bucket = `new-${randomUUID()}`;
  const s3 = openS3(store.access, store.access);
  await s3.send(new CreateBucketCommand({ Bucket }));
  expect(await store.run("set-versioning.ts", Bucket, {})).toMatchObject({ code: 0, stderr: "" });
  expect((await s3.send(new GetBucketVersioningCommand({ Bucket }))).Status).toBe("Enabled");
  expect(await store.run("set-lifecycle.ts", Bucket, rules)).toMatchObject({ code: 0, stderr: "" });
  const { Rules = [] } = await s3.send(new GetBucketLifecycleConfigurationCommand({ Bucket }));
  const seen = Rules.map(({ Filter, NoncurrentVersionExpiration, Expiration }) => [
    Filter?.Prefix ?? "",
    NoncurrentVersionExpiration?.NoncurrentDays,
    Expiration,
  ]);
  expect(seen).toEqual([
    ["epochs/", 3, { ExpiredObjectDeleteMarker: true }],
    ["", 30, { ExpiredObjectDeleteMarker: true }],
  ]);
});

const answers = [
  ["501", notImplemented, true],
  ["400", { status: 400, body: "<Error><Code>MalformedXML</Code><Message>no such rule</Message></Error>" }, true],
  ["MissingContentMD5", { status: 400, body: "<Error><Code>MissingContentMD5</Code></Error>" }, true],
  ["403", denied, false],
  ["503", { status: 503, body: "" }, false],
  ["nothing", "drop", false],
] as const;

test.concurrent.each(answers)(
  "a store that answers %s to a setting of its bucket: the store is blamed for a refusal of the call only",
  async (_what, fate, isBlamed) => {
    const bucket = await store.newBucket();
    await using proxy = await StoreProxy.start(store.access.endpoint, ({ path }) =>
      /\?(versioning|lifecycle)/.test(path) ? fate : "pass",
    );
    for (const [script, call] of [
      ["set-versioning.ts", "PutBucketVersioning"],
      ["set-lifecycle.ts", "PutBucketLifecycleConfiguration"],
    ] as const) {
      const { code, stderr } = await store.run(script, bucket, { ...rules, LIFEBOAT_ENDPOINT: proxy.endpoint });
      expect(code).toBe(1);
      expect(stderr).toContain(call);
      expect(stderr.includes(`the store refuses ${call}`)).toBe(isBlamed);
      expect(stderr.includes("Make the bucket yourself")).toBe(isBlamed);
    }
  },
);

test("a machine's key that is refused here is told with the places from which it works, and one without an answer is not", async () => {
  const { endpoint, region, accessKeyId, secretAccessKey } = store.access;
  const environment = {
    LIFEBOAT_BUCKET: await store.newBucket(),
    LIFEBOAT_REGION: region,
    LIFEBOAT_ENDPOINT: endpoint,
    LIFEBOAT_PATH_STYLE: "true",
  };
  using refused = await MachineBucket.open(environment, { accessKeyId, secretAccessKey: "wrong" }, 0);
  await expect(refused.waitUntilKeyWorks()).rejects.toThrow(
    /does not accept key .*adminCidrs only.*pulumi config set --path "adminCidrs\[0\]".*keyFromAnywhere true$/,
  );
  using empty = await MachineBucket.open(environment, { accessKeyId, secretAccessKey }, 0);
  await expect(empty.waitUntilKeyWorks()).rejects.toThrow(/does not accept key \S+$/);
});
