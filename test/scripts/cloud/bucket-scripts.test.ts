import { spawn } from "node:child_process";
import { createHash, randomUUID } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";

import {
  GetBucketLifecycleConfigurationCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  ListObjectVersionsCommand,
  PutObjectCommand,
} from "@aws-sdk/client-s3";
import { afterAll, beforeAll, expect, test } from "vitest";

import { openBucket } from "../../../app/replica/bucket.ts";
import { fetchSentinel } from "../../../app/replica/sentinel.ts";
import { MachineBucket } from "../../../scripts/cloud/machine-bucket.ts";
import { type SeaweedStore, startSeaweedStore } from "../../../scripts/drill/seaweed-store.ts";
import { makeBucket, openS3 } from "../../infra/limited-key.ts";
import { type Decide, StoreProxy } from "../../replica/store-proxy.ts";

const scripts = join(import.meta.dirname, "../../../scripts/cloud");
const [first, second] = ["1".repeat(64), "2".repeat(64)];

let store: SeaweedStore;
beforeAll(async () => {
  store = await startSeaweedStore();
});
afterAll(async () => {
  await store[Symbol.asyncDispose]();
});

type Request = Parameters<Decide>[0];
type Run = { code: unknown; stdout: string; stderr: string };

async function run(script: string, bucket: string, environment: Record<string, string>): Promise<Run> {
  const { access } = store;
  const place = {
    LIFEBOAT_BUCKET: bucket,
    LIFEBOAT_REGION: access.region,
    LIFEBOAT_ENDPOINT: access.endpoint,
    LIFEBOAT_PATH_STYLE: "true",
  };
  const child = spawn(process.execPath, [join(scripts, script)], {
    env: { PATH: process.env["PATH"], ...place, LIFEBOAT_ACCESS_KEY_ID: access.accessKeyId, ...environment },
    stdio: ["pipe", "pipe", "pipe"],
  });
  child.stdin.end(access.secretAccessKey);
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
  return { code, stdout: stdout.trim(), stderr };
}

async function newBucket(): Promise<string> {
  const bucket = `boat-${randomUUID()}`;
  await makeBucket(store.access, bucket);
  return bucket;
}

const makeSentinel = (bucket: string, LIFEBOAT_OWNER: string, LIFEBOAT_BUCKET_ID = "") =>
  run("make-sentinel.ts", bucket, { LIFEBOAT_OWNER, LIFEBOAT_BUCKET_ID });

const writeDesired = (bucket: string, LIFEBOAT_RELEASE: string, LIFEBOAT_BUCKET_ID: string) =>
  run("write-desired-release.ts", bucket, { LIFEBOAT_RELEASE, LIFEBOAT_BUCKET_ID });

async function readObject(Bucket: string, Key: string): Promise<unknown> {
  const answer = await openS3(store.access, store.access).send(new GetObjectCommand({ Bucket, Key }));
  return JSON.parse((await answer.Body?.transformToString()) ?? "");
}

async function countVersions(Bucket: string, Prefix: string): Promise<number> {
  const { Versions = [] } = await openS3(store.access, store.access).send(
    new ListObjectVersionsCommand({ Bucket, Prefix }),
  );
  return Versions.length;
}

test("the sentinel is made once; a later up, or one with an empty state, adopts it and never rewrites it", async () => {
  const bucket = await newBucket();
  const made = await makeSentinel(bucket, "lifeboat/production");
  expect(made).toMatchObject({ code: 0, stderr: "" });
  const again = await makeSentinel(bucket, "lifeboat/production");
  expect(again.stdout).toBe(made.stdout);
  expect(await countVersions(bucket, "lifeboat.json")).toBe(1);
  const machine = openBucket({ ...store.access, bucket });
  expect((await fetchSentinel(machine)).bucketId).toBe(made.stdout);
});

test("two that make it at the same time agree on one id", async () => {
  const bucket = await newBucket();
  const runs = await Promise.all([1, 2, 3, 4].map(async () => makeSentinel(bucket, "lifeboat/production")));
  expect(new Set(runs.map(({ stdout }) => stdout)).size).toBe(1);
  expect(runs.map(({ code }) => code)).toEqual([0, 0, 0, 0]);
});

test("staging cannot use production's bucket, unless it names its id", async () => {
  const bucket = await newBucket();
  const { stdout: id } = await makeSentinel(bucket, "lifeboat/production");
  const refused = await makeSentinel(bucket, "lifeboat/staging");
  expect(refused.code).not.toBe(0);
  expect(refused.stderr).toContain("belongs to stack lifeboat/production");
  expect(refused.stderr).toContain(`pulumi config set bucketId ${id}`);
  expect(await makeSentinel(bucket, "lifeboat/staging", id)).toMatchObject({ code: 0, stdout: id });
});

test.each([
  ["named", { LIFEBOAT_BUCKET_ID: "another-id" }],
  ["remembered", { PULUMI_COMMAND_STDOUT: "another-id\n" }],
])("another id than the %s one is refused, and so is a bucket without one", async (_what, known) => {
  const bucket = await newBucket();
  const owner = { LIFEBOAT_OWNER: "lifeboat/production" };
  const empty = await run("make-sentinel.ts", bucket, { ...owner, ...known });
  expect(empty.stderr).toContain("has no lifeboat.json, but");
  expect([empty.code, await countVersions(bucket, "lifeboat.json")]).toEqual([1, 0]);
  await run("make-sentinel.ts", bucket, owner);
  const other = await run("make-sentinel.ts", bucket, { ...owner, ...known });
  expect([other.code, other.stdout]).toEqual([1, ""]);
  expect(other.stderr).toContain("another bucket");
});

test.each(["head.json", "epochs/0001-00000000/x", "x.txt"])(
  "a bucket with %s but no sentinel gets none",
  async (Key) => {
    const bucket = await newBucket();
    await openS3(store.access, store.access).send(new PutObjectCommand({ Bucket: bucket, Key, Body: "{}" }));
    const refused = await makeSentinel(bucket, "lifeboat/production");
    expect(refused.stderr).toContain(`yet it holds ${Key}`);
    expect([refused.code, await countVersions(bucket, "lifeboat.json")]).toEqual([1, 0]);
  },
);

test("an object that is no sentinel is not taken for one, and stays as it is", async () => {
  const bucket = await newBucket();
  const page = new PutObjectCommand({ Bucket: bucket, Key: "lifeboat.json", Body: "<html>welcome</html>" });
  await openS3(store.access, store.access).send(page);
  expect((await makeSentinel(bucket, "lifeboat/production")).code).toBe(1);
  expect(await countVersions(bucket, "lifeboat.json")).toBe(1);
});

test("the desired release remembers the one before it, and the same one is not written again", async () => {
  const bucket = await newBucket();
  const { stdout: id } = await makeSentinel(bucket, "lifeboat/production");
  expect(await writeDesired(bucket, first, id)).toMatchObject({ code: 0, stdout: first });
  expect(await readObject(bucket, "desired-release.json")).toEqual({ sha256: first, previous: null });
  await writeDesired(bucket, second, id);
  await writeDesired(bucket, second, id);
  expect(await readObject(bucket, "desired-release.json")).toEqual({ sha256: second, previous: first });
  expect(await countVersions(bucket, "desired-release.json")).toBe(2);
});

test("nothing is desired of the machines of another bucket", async () => {
  const bucket = await newBucket();
  await makeSentinel(bucket, "lifeboat/production");
  const refused = await writeDesired(bucket, first, "of-another-bucket");
  expect([refused.code, await countVersions(bucket, "desired-release.json")]).toEqual([1, 0]);
});

test("a wrong secret is refused, and the secret is not in what is said about it", async () => {
  const bucket = await newBucket();
  const refused = await run("make-sentinel.ts", bucket, {
    LIFEBOAT_OWNER: "lifeboat/test",
    LIFEBOAT_ACCESS_KEY_ID: "unknown",
  });
  expect(refused.code).toBe(1);
  expect(refused.stderr + refused.stdout).not.toContain(store.access.secretAccessKey);
});

const notImplemented = {
  status: 501,
  body: "<Error><Code>NotImplemented</Code><Message>A header you provided</Message></Error>",
};

const denied = { status: 403, body: "<Error><Code>AccessDenied</Code><Message>Not with this key</Message></Error>" };

function isConditional({ method, headers }: Request): boolean {
  return method === "PUT" && (headers["if-match"] !== undefined || headers["if-none-match"] !== undefined);
}

async function listKeys(Bucket: string): Promise<unknown[]> {
  const { Contents = [] } = await openS3(store.access, store.access).send(new ListObjectsV2Command({ Bucket }));
  return Contents.map(({ Key }) => Key);
}

test("a store that knows no conditional writes is refused before a machine is bought, and keeps no probe", async () => {
  const bucket = await newBucket();
  await using proxy = await StoreProxy.start(store.access.endpoint, (request) =>
    isConditional(request) ? notImplemented : "pass",
  );
  const there = { LIFEBOAT_OWNER: "boat/one", LIFEBOAT_ENDPOINT: proxy.endpoint };
  const { code, stdout, stderr } = await run("make-sentinel.ts", bucket, there);
  expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
  expect(stderr).toContain("this store refuses conditional writes (PUT with If-Match or If-None-Match)");
  expect(await listKeys(bucket)).toEqual(["lifeboat.json"]);
  proxy.heal();
  expect(await run("make-sentinel.ts", bucket, there)).toMatchObject({ code: 0, stderr: "" });
});

test("what the probe found is told, also when the probe cannot be removed", async () => {
  const bucket = await newBucket();
  await using proxy = await StoreProxy.start(store.access.endpoint, (request) => {
    if (request.method === "DELETE") return denied;
    return isConditional(request) ? notImplemented : "pass";
  });
  const there = { LIFEBOAT_OWNER: "boat/one", LIFEBOAT_ENDPOINT: proxy.endpoint };
  expect((await run("make-sentinel.ts", bucket, there)).stderr).toContain("this store refuses conditional writes");
});

test("a fault in the midst of the probe is no proof that a store ignores conditions", async () => {
  const bucket = await newBucket();
  let asked = 0;
  await using proxy = await StoreProxy.start(store.access.endpoint, (request) => {
    if (!request.path.includes("conditional-writes") || request.headers["if-none-match"] !== "*") return "pass";
    asked += 1;
    return asked === 1 ? { status: 200, body: "", headers: { etag: '"ignored"' } } : denied;
  });
  const there = { LIFEBOAT_OWNER: "boat/one", LIFEBOAT_ENDPOINT: proxy.endpoint };
  const { code, stderr } = await run("make-sentinel.ts", bucket, there);
  expect([asked, code]).toEqual([2, 1]);
  expect(stderr).toContain("AccessDenied");
  expect(stderr).not.toContain("cannot be used");
});

test("a store without object tags is taken, and gets a text and a release by our own script", async () => {
  const bucket = await newBucket();
  await using proxy = await StoreProxy.start(store.access.endpoint, ({ path }) =>
    path.includes("tagging") ? notImplemented : "pass",
  );
  const there = { LIFEBOAT_OWNER: "boat/one", LIFEBOAT_ENDPOINT: proxy.endpoint };
  const made = await run("make-sentinel.ts", bucket, there);
  expect(made).toMatchObject({ code: 0, stderr: "" });
  const upload = (environment: Record<string, string>) =>
    run("upload-object.ts", bucket, { ...there, LIFEBOAT_BUCKET_ID: made.stdout, ...environment });
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
    upload({ ...release, LIFEBOAT_KEY: "releases/y.tar.gz", LIFEBOAT_SHA256: first }),
    upload({ ...text, LIFEBOAT_KEY: "z", LIFEBOAT_BUCKET_ID: "of-another-bucket" }),
  ]);
  expect(carded).toMatchObject({ code: 0, stderr: "", stdout: "card.txt" });
  expect(released).toMatchObject({ code: 0, stderr: "", stdout: "releases/x.tar.gz" });
  expect([changed.code, changed.stderr]).toEqual([1, expect.stringContaining(`but ${first} was built`)]);
  expect([strange.code, strange.stderr]).toEqual([1, expect.stringContaining("another bucket")]);
  const s3 = openS3(store.access, store.access);
  const found = await s3.send(new GetObjectCommand({ Bucket: bucket, Key: "releases/x.tar.gz" }));
  expect(found.ContentType).toBe("application/gzip");
  expect(await found.Body?.transformToString()).toBe(bytes.toString());
  const card = await s3.send(new GetObjectCommand({ Bucket: bucket, Key: "card.txt" }));
  expect(await card.Body?.transformToString()).toBe("one\ntwo\n");
  expect(await listKeys(bucket)).toEqual(["card.txt", "lifeboat.json", "releases/x.tar.gz"]);
});

test("a store that ignores If-None-Match is taken with a warning that the fence is advisory", async () => {
  const bucket = await newBucket();
  // An ignored condition is a PUT that succeeds: answered here, for SeaweedFS itself would refuse.
  await using proxy = await StoreProxy.start(store.access.endpoint, ({ method, path, headers }) =>
    method === "PUT" && path.includes("conditional-writes") && headers["if-none-match"] === "*"
      ? { status: 200, body: "", headers: { etag: '"ignored"' } }
      : "pass",
  );
  const there = { LIFEBOAT_OWNER: "boat/one", LIFEBOAT_ENDPOINT: proxy.endpoint };
  const { code, stderr } = await run("make-sentinel.ts", bucket, there);
  expect(stderr).toContain("its store ignores conditional writes, so the fence is only advisory");
  expect(code).toBe(0);
});

test("a bucket that we make gets a lifecycle: three days under epochs/, thirty elsewhere, orphaned markers removed, nothing current", async () => {
  const bucket = await newBucket();
  const days = { LIFEBOAT_EPOCHS_DAYS: "3", LIFEBOAT_OTHERS_DAYS: "30" };
  expect(await run("set-lifecycle.ts", bucket, days)).toMatchObject({ code: 0, stderr: "" });
  const asked = new GetBucketLifecycleConfigurationCommand({ Bucket: bucket });
  const { Rules = [] } = await openS3(store.access, store.access).send(asked);
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

test.each([
  ["501", notImplemented, true],
  ["400", { status: 400, body: "<Error><Code>MalformedXML</Code><Message>no such rule</Message></Error>" }, true],
  ["403", denied, false],
  ["503", { status: 503, body: "" }, false],
  ["nothing", "drop", false],
] as const)(
  "a store that answers %s to a lifecycle: the store is blamed for a refusal of the call only",
  async (_what, fate, isBlamed) => {
    const bucket = await newBucket();
    await using proxy = await StoreProxy.start(store.access.endpoint, ({ path }) =>
      path.includes("?lifecycle") ? fate : "pass",
    );
    const days = { LIFEBOAT_EPOCHS_DAYS: "3", LIFEBOAT_OTHERS_DAYS: "30", LIFEBOAT_ENDPOINT: proxy.endpoint };
    const { code, stderr } = await run("set-lifecycle.ts", bucket, days);
    expect(code).toBe(1);
    expect(stderr).toContain("PutBucketLifecycleConfiguration");
    expect(stderr.includes("the store refuses PutBucketLifecycleConfiguration")).toBe(isBlamed);
    expect(stderr.includes("Make the bucket yourself")).toBe(isBlamed);
  },
);

test("a machine's key that is refused here is told with the places from which it works, and one without an answer is not", async () => {
  const { endpoint, region, accessKeyId, secretAccessKey } = store.access;
  const environment = {
    LIFEBOAT_BUCKET: await newBucket(),
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
