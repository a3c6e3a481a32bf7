import { setTimeout as sleep } from "node:timers/promises";

import { ListMultipartUploadsCommand } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, expect, test } from "vitest";

import { openPatientStore } from "../../../scripts/store/open-client.ts";
import { makeOrAdoptSentinel } from "../../../scripts/store/sentinel.ts";
import { openS3 } from "../../infra/limited-key.ts";
import { type Decide, StoreProxy } from "../../replica/store-proxy.ts";
import { denied, notImplemented, ScriptedStore } from "./scripted-store.ts";

type Request = Parameters<Decide>[0];

let store: ScriptedStore;
beforeAll(async () => {
  store = await ScriptedStore.open();
});
afterAll(() => store[Symbol.asyncDispose]());

const asks = (name: string) => (request: Request) => new URL(request.path, "http://store").searchParams.has(name);
const posts = (name: string) => (request: Request) => request.method === "POST" && asks(name)(request);
const methodNotAllowed = {
  status: 405,
  body: "<Error><Code>MethodNotAllowed</Code><Message>not against this resource</Message></Error>",
};
const isAbort = (request: Request) => request.method === "DELETE" && asks("uploadId")(request);

const claim = { owner: "boat/one", expectedId: undefined, rememberedId: undefined };
const lacksMd5 = ({ method, path, headers }: Request) =>
  /[?&](delete|lifecycle|versioning)\b/.test(path) && method !== "GET" && headers["content-md5"] === undefined;

function isConditional({ method, headers }: Request): boolean {
  return method === "PUT" && (headers["if-match"] !== undefined || headers["if-none-match"] !== undefined);
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
  expect(await store.listKeys(bucket)).toEqual(["lifeboat.json"]);
  proxy.heal();
  expect(await store.run("make-sentinel.ts", bucket, there)).toMatchObject({ code: 0, stderr: "" });
});

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
    using open = await openPatientStore(store.place(bucket), async () => store.access.secretAccessKey);
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
    expect(await store.listKeys(bucket)).toEqual(["lifeboat.json"]);
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
])("a store that lacks a call for the sentinel, such as %s, is named too", async (call, isUnknown) => {
  const bucket = await store.newBucket();
  await using proxy = await StoreProxy.start(store.access.endpoint, (request) =>
    isUnknown(request) ? notImplemented : "pass",
  );
  const there = { LIFEBOAT_OWNER: "boat/one", LIFEBOAT_ENDPOINT: proxy.endpoint };
  const { code, stderr } = await store.run("make-sentinel.ts", bucket, there);
  expect(code).toBe(1);
  expect(stderr).toContain(`Its store refuses ${call}`);
  expect(await store.listKeys(bucket)).toEqual([]);
});

test("a store that wants Content-MD5 where a checksum is demanded gets it", async () => {
  const bucket = await store.newBucket();
  await using proxy = await StoreProxy.start(store.access.endpoint, (request) =>
    lacksMd5(request) ? { status: 400, body: "<Error><Code>MissingContentMD5</Code></Error>" } : "pass",
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
  const place = { ...store.place(bucket), LIFEBOAT_ENDPOINT: proxy.endpoint };
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

test("a key that may not delete the probe is no reason to refuse the store, and what stays is said", async () => {
  const bucket = await store.newBucket();
  const answer =
    "<DeleteResult><Error><Key>x</Key><Code>AccessDenied</Code><Message>no</Message></Error></DeleteResult>";
  await using proxy = await StoreProxy.start(store.access.endpoint, (request) =>
    posts("delete")(request) ? { status: 200, body: answer } : "pass",
  );
  const there = { LIFEBOAT_OWNER: "boat/one", LIFEBOAT_ENDPOINT: proxy.endpoint };
  const { code, stderr } = await store.run("make-sentinel.ts", bucket, there);
  expect(code).toBe(0);
  const left = (await store.listKeys(bucket)).find((key) => key.startsWith("reports/"));
  expect(stderr).toContain(`the key may not delete ${left ?? "nothing"}`);
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
