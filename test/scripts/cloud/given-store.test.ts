import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

import {
  GetBucketLifecycleConfigurationCommand,
  GetObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
} from "@aws-sdk/client-s3";
import { afterAll, beforeAll, expect, test } from "vitest";

import { MachineBucket } from "../../../scripts/cloud/machine-bucket.ts";
import { openPatientStore } from "../../../scripts/cloud/open-client.ts";
import { makeOrAdoptSentinel } from "../../../scripts/cloud/sentinel.ts";
import { openS3 } from "../../infra/limited-key.ts";
import { type Decide, StoreProxy } from "../../replica/store-proxy.ts";
import { ScriptedStore } from "./scripted-store.ts";

type Request = Parameters<Decide>[0];
const otherSha256 = "1".repeat(64);

let store: ScriptedStore;
beforeAll(async () => {
  store = await ScriptedStore.open();
});
afterAll(() => store[Symbol.asyncDispose]());

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
  const bucket = await store.newBucket();
  await using proxy = await StoreProxy.start(store.access.endpoint, (request) =>
    isConditional(request) ? notImplemented : "pass",
  );
  const there = { LIFEBOAT_OWNER: "boat/one", LIFEBOAT_ENDPOINT: proxy.endpoint };
  const { code, stdout, stderr } = await store.run("make-sentinel.ts", bucket, there);
  expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
  expect(stderr).toContain("this store refuses conditional writes (PUT with If-Match or If-None-Match)");
  expect(await listKeys(bucket)).toEqual(["lifeboat.json"]);
  proxy.heal();
  expect(await store.run("make-sentinel.ts", bucket, there)).toMatchObject({ code: 0, stderr: "" });
});

const asks = (name: string) => (request: Request) => new URL(request.path, "http://store").searchParams.has(name);
const posts = (name: string) => (request: Request) => request.method === "POST" && asks(name)(request);
const methodNotAllowed = {
  status: 405,
  body: "<Error><Code>MethodNotAllowed</Code><Message>not against this resource</Message></Error>",
};
const isAbort = (request: Request) => request.method === "DELETE" && asks("uploadId")(request);

const claim = { owner: "boat/one", expectedId: undefined, rememberedId: undefined };

function placeOf(bucket: string) {
  return {
    LIFEBOAT_BUCKET: bucket,
    LIFEBOAT_REGION: store.access.region,
    LIFEBOAT_ENDPOINT: store.access.endpoint,
    LIFEBOAT_PATH_STYLE: "true",
    LIFEBOAT_ACCESS_KEY_ID: store.access.accessKeyId,
  };
}

test.concurrent.each([
  ["ListObjectsV2", asks("list-type"), notImplemented],
  ["GetObject with Range", ({ headers }: Request) => headers.range !== undefined, notImplemented],
  ["CreateMultipartUpload", posts("uploads"), notImplemented],
  ["UploadPart", (request: Request) => request.method === "PUT" && asks("partNumber")(request), notImplemented],
  ["CompleteMultipartUpload", posts("uploadId"), notImplemented],
  ["AbortMultipartUpload", isAbort, notImplemented],
  ["DeleteObjects", posts("delete"), notImplemented],
  ["DeleteObjects", posts("delete"), methodNotAllowed],
  ["DeleteObjects", posts("delete"), { status: 400, body: "<Error><Code>MissingContentMD5</Code></Error>" }],
])(
  "a store that does not know %s is told so by name before a machine is bought, and keeps no probe",
  async (call, isUnknown, fate) => {
    const bucket = await store.newBucket();
    // The sentinel stands there: a call that it needs too is missing for the probe alone.
    using open = await openPatientStore(placeOf(bucket), async () => store.access.secretAccessKey);
    await makeOrAdoptSentinel(open, claim);
    await using proxy = await StoreProxy.start(store.access.endpoint, (request) =>
      isUnknown(request) ? fate : "pass",
    );
    const there = { LIFEBOAT_OWNER: claim.owner, LIFEBOAT_ENDPOINT: proxy.endpoint };
    const { code, stdout, stderr } = await store.run("make-sentinel.ts", bucket, there);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toContain(`bucket ${bucket} cannot be used, and no machine was bought. Its store refuses ${call}`);
    expect(stderr).toContain(fate === notImplemented ? "NotImplemented" : "unsupported");
    expect(stderr).toContain("this store does not know a call that Lifeboat needs; use one that does");
    expect(await listKeys(bucket)).toEqual(["lifeboat.json"]);
    const uploads = new ListMultipartUploadsCommand({ Bucket: bucket });
    const { Uploads = [] } = await openS3(store.access, store.access).send(uploads);
    // What cannot be aborted stays.
    expect(Uploads.length).toBe(call === "AbortMultipartUpload" ? 1 : 0);
  },
);

test.concurrent.each([
  ["ListObjectsV2", asks("list-type")],
  ["GET lifeboat.json", ({ method, path }: Request) => method === "GET" && path.includes("lifeboat.json")],
  ["PUT lifeboat.json", ({ method, path }: Request) => method === "PUT" && path.includes("lifeboat.json")],
])("and so is one that the sentinel needs, such as %s", async (call, isUnknown) => {
  const bucket = await store.newBucket();
  await using proxy = await StoreProxy.start(store.access.endpoint, (request) =>
    isUnknown(request) ? notImplemented : "pass",
  );
  const there = { LIFEBOAT_OWNER: "boat/one", LIFEBOAT_ENDPOINT: proxy.endpoint };
  const { code, stderr } = await store.run("make-sentinel.ts", bucket, there);
  expect(code).toBe(1);
  expect(stderr).toContain(`Its store refuses ${call}`);
  expect(await listKeys(bucket)).toEqual([]);
});

test("a store that wants Content-MD5 where a checksum is demanded gets it", async () => {
  const bucket = await store.newBucket();
  const wanting = ({ method, path, headers }: Request) =>
    /[?&](delete|lifecycle|versioning)\b/.test(path) && method !== "GET" && headers["content-md5"] === undefined;
  await using proxy = await StoreProxy.start(store.access.endpoint, (request) =>
    wanting(request) ? { status: 400, body: "<Error><Code>MissingContentMD5</Code></Error>" } : "pass",
  );
  const there = { LIFEBOAT_OWNER: "boat/one", LIFEBOAT_ENDPOINT: proxy.endpoint };
  expect(await store.run("make-sentinel.ts", bucket, there)).toMatchObject({ code: 0, stderr: "" });
});

test("a store whose bucket is locked for a while is told as that", async () => {
  const bucket = await store.newBucket();
  await using proxy = await StoreProxy.start(store.access.endpoint, ({ method, path }) =>
    method === "PUT" && path.includes("reports/")
      ? { status: 400, body: "<Error><Code>InvalidRequest</Code><Message>Content-MD5 is required</Message></Error>" }
      : "pass",
  );
  const there = { LIFEBOAT_OWNER: "boat/one", LIFEBOAT_ENDPOINT: proxy.endpoint };
  expect((await store.run("make-sentinel.ts", bucket, there)).stderr).toContain("Use a bucket without Object Lock");
});

test("a listing that is slow or lost is no reason to refuse a new bucket", async () => {
  const bucket = await store.newBucket();
  let asked = 0;
  await using proxy = await StoreProxy.start(store.access.endpoint, async ({ path }) => {
    if (!path.includes("list-type")) return "pass";
    asked += 1;
    if (asked === 1) return "drop";
    await sleep(1_500);
    return "pass";
  });
  // Any other request has half a second here.
  const place = { ...placeOf(bucket), LIFEBOAT_ENDPOINT: proxy.endpoint };
  using hurried = await openPatientStore(place, async () => store.access.secretAccessKey, 500);
  expect(await makeOrAdoptSentinel(hurried, claim)).toMatch(/-/);
  expect(asked).toBe(2);
});

test("what the probe found is told, also when the probe cannot be removed", async () => {
  const bucket = await store.newBucket();
  await using proxy = await StoreProxy.start(store.access.endpoint, (request) => {
    if (request.method === "DELETE") return denied;
    return isConditional(request) ? notImplemented : "pass";
  });
  const there = { LIFEBOAT_OWNER: "boat/one", LIFEBOAT_ENDPOINT: proxy.endpoint };
  expect((await store.run("make-sentinel.ts", bucket, there)).stderr).toContain(
    "this store refuses conditional writes",
  );
});

test("a fault in the midst of the probe is no proof that a store ignores conditions", async () => {
  const bucket = await store.newBucket();
  let asked = 0;
  await using proxy = await StoreProxy.start(store.access.endpoint, (request) => {
    if (!request.path.includes("conditional-writes") || request.headers["if-none-match"] !== "*") return "pass";
    asked += 1;
    return asked === 1 ? { status: 200, body: "", headers: { etag: '"ignored"' } } : denied;
  });
  const there = { LIFEBOAT_OWNER: "boat/one", LIFEBOAT_ENDPOINT: proxy.endpoint };
  const { code, stderr } = await store.run("make-sentinel.ts", bucket, there);
  expect([asked, code]).toEqual([2, 1]);
  expect(stderr).toContain("AccessDenied");
  expect(stderr).not.toContain("cannot be used");
});

test("a store without object tags is taken, and gets a text and a release by our own script", async () => {
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
  expect(await listKeys(bucket)).toEqual(["card.txt", "lifeboat.json", "releases/x.tar.gz"]);
});

test("a store that ignores If-None-Match is taken with a warning that the fence is advisory", async () => {
  const bucket = await store.newBucket();
  // An ignored condition is a PUT that succeeds: answered here, for SeaweedFS itself would refuse.
  await using proxy = await StoreProxy.start(store.access.endpoint, ({ method, path, headers }) =>
    method === "PUT" && path.includes("conditional-writes") && headers["if-none-match"] === "*"
      ? { status: 200, body: "", headers: { etag: '"ignored"' } }
      : "pass",
  );
  const there = { LIFEBOAT_OWNER: "boat/one", LIFEBOAT_ENDPOINT: proxy.endpoint };
  const { code, stderr } = await store.run("make-sentinel.ts", bucket, there);
  expect(stderr).toContain("its store ignores conditional writes, so the fence is only advisory");
  expect(code).toBe(0);
});

test("a bucket that we make gets a lifecycle: three days under epochs/, thirty elsewhere, orphaned markers removed, nothing current", async () => {
  const bucket = await store.newBucket();
  const days = { LIFEBOAT_EPOCHS_DAYS: "3", LIFEBOAT_OTHERS_DAYS: "30" };
  expect(await store.run("set-lifecycle.ts", bucket, days)).toMatchObject({ code: 0, stderr: "" });
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
  ["MissingContentMD5", { status: 400, body: "<Error><Code>MissingContentMD5</Code></Error>" }, true],
  ["403", denied, false],
  ["503", { status: 503, body: "" }, false],
  ["nothing", "drop", false],
] as const)(
  "a store that answers %s to a lifecycle: the store is blamed for a refusal of the call only",
  async (_what, fate, isBlamed) => {
    const bucket = await store.newBucket();
    await using proxy = await StoreProxy.start(store.access.endpoint, ({ path }) =>
      path.includes("?lifecycle") ? fate : "pass",
    );
    const days = { LIFEBOAT_EPOCHS_DAYS: "3", LIFEBOAT_OTHERS_DAYS: "30", LIFEBOAT_ENDPOINT: proxy.endpoint };
    const { code, stderr } = await store.run("set-lifecycle.ts", bucket, days);
    expect(code).toBe(1);
    expect(stderr).toContain("PutBucketLifecycleConfiguration");
    expect(stderr.includes("the store refuses PutBucketLifecycleConfiguration")).toBe(isBlamed);
    expect(stderr.includes("Make the bucket yourself")).toBe(isBlamed);
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
