import { createServer } from "node:http";

import { PutBucketVersioningCommand, PutObjectCommand } from "@aws-sdk/client-s3";
import { expect, test } from "vitest";

import { listenOnLoopback } from "../../../scripts/local/listen-on-loopback.ts";
import { deleteBucket, emptyBucket, isEmpty } from "../../../scripts/store/empty-bucket.ts";
import { openPatientStore } from "../../../scripts/store/open-client.ts";
import { openS3 } from "../../infra/limited-key.ts";
import { StoreProxy } from "../../replica/store-proxy.ts";
import { notImplemented, ScriptedStore } from "./scripted-store.ts";

// Every request fails once before it is answered.
const answers: Record<string, string> = {
  "GET uploads": "<ListMultipartUploadsResult/>",
  "GET versions":
    "<ListVersionsResult><Version><Key>epochs/1</Key><VersionId>v1</VersionId></Version></ListVersionsResult>",
  "POST delete": "<DeleteResult/>",
  "DELETE ": "",
};

test("a store that is briefly too busy does not abort the emptying of a bucket", async () => {
  const seen = new Map<string, number>();
  const server = createServer((request, response) => {
    const { searchParams } = new URL(request.url ?? "", "http://store");
    const call = `${request.method} ${["uploads", "versions", "delete"].find((name) => searchParams.has(name)) ?? ""}`;
    const count = (seen.get(call) ?? 0) + 1;
    seen.set(call, count);
    request.resume();
    if (count === 1) response.writeHead(503).end("<Error><Code>SlowDown</Code><Message>slow down</Message></Error>");
    else response.writeHead(200, { "content-type": "application/xml" }).end(answers[call]);
  });
  await using listener = await listenOnLoopback(server);
  const place = { LIFEBOAT_BUCKET: "a-bucket", LIFEBOAT_REGION: "auto", LIFEBOAT_PATH_STYLE: "true" };
  const access = { LIFEBOAT_ENDPOINT: listener.url, LIFEBOAT_ACCESS_KEY_ID: "key" };
  using store = await openPatientStore({ ...place, ...access }, async () => "secret");
  // Listed once to delete all but the sentinel, once for what is left.
  expect(await emptyBucket(store, () => {})).toBe(2);
  await deleteBucket(store);
  expect(Object.fromEntries(seen)).toEqual({ "GET uploads": 2, "GET versions": 3, "POST delete": 3, "DELETE ": 2 });
});

test("a store that keeps no versions and cannot list them, as R2, is emptied of its objects", async () => {
  await using scripted = await ScriptedStore.open();
  const Bucket = await scripted.newBucket();
  const s3 = openS3(scripted.access, scripted.access);
  await s3.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status: "Suspended" } }));
  for (const Key of ["lifeboat.json", "epochs/1/a", "epochs/1/b"]) await s3.send(new PutObjectCommand({ Bucket, Key }));
  await using proxy = await StoreProxy.start(scripted.access.endpoint, ({ path }) =>
    /\?(versions|uploads)/.test(path) ? notImplemented : "pass",
  );
  const place = { ...scripted.place(Bucket), LIFEBOAT_ENDPOINT: proxy.endpoint };
  using store = await openPatientStore(place, async () => scripted.access.secretAccessKey);
  expect(await isEmpty(store)).toBe(false);
  expect(await emptyBucket(store, () => {})).toBe(3);
  expect(await scripted.listKeys(Bucket)).toEqual([]);
  expect(await isEmpty(store)).toBe(true);
});
