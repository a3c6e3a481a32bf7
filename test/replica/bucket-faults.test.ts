import { expect, test } from "vitest";

import { BucketError, type BucketFault, mayPass } from "../../app/replica/bucket-error.ts";
import { type Bucket, openBucket } from "../../app/replica/bucket.ts";
import type { BucketConfig } from "../../app/replica/s3-client.ts";
import { findFreePorts } from "../../scripts/local/free-ports.ts";
import { type Answer, StoreProxy } from "./bucket-proxy.ts";

const limits = { callMs: 8_000, answerMs: 1_000 };
/** A PUT has only one try, which lasts as long as the call may. */
const silentLimits = { callMs: 1_200, answerMs: 150 };
const web = { "content-type": "text/html" };
// The first one is well-formed XML, and so a listing without anything in it to a parser that does not look closely.
const page = "<html><head><title>Welcome</title></head><body><p>It works!</p></body></html>";
const sloppyPage = "<!doctype html><html><title>Welcome<body><p>It works!<br>";

type Case = Readonly<{ name: string; answer: Answer; kind: BucketFault; passes: boolean; tries: number }>;
const cases: readonly Case[] = [
  { name: "503 SlowDown", answer: fault(503, "SlowDown"), kind: "throttled", passes: true, tries: 3 },
  { name: "503 without a word", answer: { status: 503 }, kind: "unreachable", passes: true, tries: 3 },
  { name: "500 InternalError", answer: fault(500, "InternalError"), kind: "unreachable", passes: true, tries: 3 },
  { name: "429", answer: { status: 429 }, kind: "throttled", passes: true, tries: 3 },
  { name: "400 RequestTimeout", answer: fault(400, "RequestTimeout"), kind: "unreachable", passes: true, tries: 3 },
  {
    name: "403 InvalidAccessKeyId",
    answer: fault(403, "InvalidAccessKeyId"),
    kind: "key-unknown",
    passes: true,
    tries: 1,
  },
  {
    name: "403 SignatureDoesNotMatch",
    answer: fault(403, "SignatureDoesNotMatch"),
    kind: "key-refused",
    passes: false,
    tries: 1,
  },
  { name: "403 AccessDenied", answer: fault(403, "AccessDenied"), kind: "key-refused", passes: false, tries: 1 },
  { name: "403 without a word", answer: { status: 403 }, kind: "key-refused", passes: false, tries: 1 },
  { name: "404 NoSuchBucket", answer: fault(404, "NoSuchBucket"), kind: "missing", passes: false, tries: 1 },
  {
    name: "412 PreconditionFailed",
    answer: fault(412, "PreconditionFailed"),
    kind: "precondition-failed",
    passes: false,
    tries: 1,
  },
  {
    name: "409 ConditionalRequestConflict",
    answer: fault(409, "ConditionalRequestConflict"),
    kind: "precondition-failed",
    passes: false,
    tries: 1,
  },
  { name: "501 NotImplemented", answer: fault(501, "NotImplemented"), kind: "unsupported", passes: false, tries: 1 },
  {
    name: "400 InvalidBucketName",
    answer: fault(400, "InvalidBucketName"),
    kind: "not-a-store",
    passes: false,
    tries: 1,
  },
  {
    name: "200 with a web page",
    answer: { status: 200, headers: web, body: page },
    kind: "not-a-store",
    passes: false,
    tries: 1,
  },
  {
    name: "200 with a sloppy page",
    answer: { status: 200, headers: web, body: sloppyPage },
    kind: "not-a-store",
    passes: false,
    tries: 1,
  },
  { name: "200 with nothing", answer: { status: 200 }, kind: "not-a-store", passes: false, tries: 1 },
  {
    name: "200 with JSON",
    answer: { status: 200, headers: { "content-type": "application/json" }, body: "{}" },
    kind: "not-a-store",
    passes: false,
    tries: 1,
  },
  {
    name: "a connection that is accepted and never answered",
    answer: "never",
    kind: "unreachable",
    passes: true,
    tries: 3,
  },
];

test.concurrent.each(cases)("$name is $kind to every call", { timeout: 40_000 }, async ({ answer, kind, passes }) => {
  await using proxy = await StoreProxy.start(null, () => answer);
  const bucket = openAt(proxy.endpoint, {}, answer === "never" ? silentLimits : limits);
  const errors = await Promise.all(callsOf(bucket).map(([, call]) => catchError(call())));
  expect(errors.map(kindOf)).toEqual([kind, kind, kind, kind]);
  expect(errors.map(mayPass)).toEqual([passes, passes, passes, passes]);
});

test.concurrent.each(cases)(
  "$name: reads are tried $tries times, a PUT once, with or without a condition",
  { timeout: 40_000 },
  async ({ answer, tries }) => {
    await using proxy = await StoreProxy.start(null, () => answer);
    const bucket = openAt(proxy.endpoint, {}, answer === "never" ? silentLimits : limits);
    await catchError(bucket.get("k"));
    expect(proxy.seen).toHaveLength(tries);
    for (const condition of [undefined, { ifNoneMatch: "*" } as const, { ifMatch: '"e"' }]) {
      proxy.seen.length = 0;
      await catchError(bucket.put("k", "v", condition));
      expect(proxy.seen.filter(({ method }) => method === "PUT")).toHaveLength(1);
    }
  },
);

test("a read that failed twice for a moment succeeds", async () => {
  let requests = 0;
  const found = { status: 200, headers: { etag: '"e"' }, body: "text" };
  await using proxy = await StoreProxy.start(null, () => ((requests += 1) < 3 ? fault(503, "SlowDown") : found));
  expect(await openAt(proxy.endpoint).get("k")).toEqual({ text: "text", etag: '"e"' });
});

test("a refused connection and a name that does not resolve are unreachable", async () => {
  const [port = 0] = await findFreePorts(1);
  for (const endpoint of [`http://127.0.0.1:${port}`, "http://no-such-host.invalid"]) {
    for (const [name, call] of callsOf(openAt(endpoint))) {
      const error = await catchError(call());
      expect({ name, error: kindOf(error) }).toEqual({ name, error: "unreachable" });
    }
  }
});

test("a skewed clock is reported as such", async () => {
  const skewed = fault(403, "RequestTimeTooSkewed");
  await using proxy = await StoreProxy.start(null, () => skewed);
  for (const [name, call] of callsOf(openAt(proxy.endpoint))) {
    const error = await catchError(call());
    expect({ name, error: kindOf(error) }).toEqual({ name, error: "clock-skewed" });
    expect(mayPass(error)).toBe(true);
  }
});

test.each(["never", "half"] as const)("a call that is answered %s ends within its limit", async (answer) => {
  await using proxy = await StoreProxy.start(null, () => answer);
  const bucket = openAt(proxy.endpoint, {}, { callMs: 400, answerMs: 8_000 });
  const startedAt = performance.now();
  const asking = callsOf(bucket).map(async ([name, call]) => {
    const error = await catchError(call());
    const isAnswered = answer === "half" && name === "put";
    if (!isAnswered) expect({ name, error: kindOf(error) }).toEqual({ name, error: "unreachable" });
  });
  await Promise.all(asking);
  // Generous, for a computer with other things to do, and still far from the one try's own limit.
  expect(performance.now() - startedAt).toBeLessThan(6_000);
});

test("a truncated page that names no continuation is no end of the list", async () => {
  const body =
    "<ListBucketResult><KeyCount>1</KeyCount><IsTruncated>true</IsTruncated><Contents><Key>a</Key></Contents></ListBucketResult>";
  await using proxy = await StoreProxy.start(null, () => ({
    status: 200,
    headers: { "content-type": "application/xml" },
    body,
  }));
  await expect(collect(openAt(proxy.endpoint).list(""))).rejects.toMatchObject({ kind: "not-a-store" });
});

test("virtual-host style puts the bucket into the host name, path style into the path", async () => {
  await using proxy = await StoreProxy.start(null, () => ({ status: 404 }));
  await catchError(openAt(proxy.endpoint).get("k"));
  expect(proxy.seen).toEqual([{ method: "GET", path: "/some-bucket/k" }]);
  const error = await catchError(openAt("http://no-such-host.invalid", { pathStyle: false }).get("k"));
  expect(String(error)).toContain("some-bucket.no-such-host.invalid");
});

function openAt(endpoint: string, overrides: Partial<BucketConfig> = {}, within = limits): Bucket {
  const keys = { accessKeyId: "key", secretAccessKey: "secret" };
  return openBucket(
    { bucket: "some-bucket", region: "us-east-1", endpoint, pathStyle: true, ...keys, ...overrides },
    within,
  );
}

function kindOf(error: unknown): unknown {
  return error instanceof BucketError ? error.kind : error;
}

function callsOf(bucket: Bucket): [string, () => Promise<unknown>][] {
  return [
    ["get", () => bucket.get("k")],
    ["put", () => bucket.put("k", "v", { ifNoneMatch: "*" })],
    ["list", () => collect(bucket.list("prefix/"))],
    ["listTop", () => bucket.listTop()],
  ];
}

async function catchError(call: Promise<unknown>): Promise<unknown> {
  return call.then(
    (value) => new Error(`it succeeded with ${JSON.stringify(value)}`),
    (error: unknown) => error,
  );
}

function fault(status: number, code: string): Answer {
  const body = `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>words</Message></Error>`;
  return { status, headers: { "content-type": "application/xml" }, body };
}

async function collect(keys: AsyncIterable<string>): Promise<string[]> {
  const collected: string[] = [];
  for await (const key of keys) collected.push(key);
  return collected;
}
