import { createServer } from "node:http";

import { expect, test } from "vitest";

import { deleteBucket, emptyBucket } from "../../../scripts/cloud/empty-bucket.ts";
import { openPatientStore } from "../../../scripts/cloud/open-client.ts";
import { listenOnLoopback } from "../../listen-on-loopback.ts";

// Every request fails once before it is answered.
const answers: Record<string, string> = {
  "GET uploads": "<ListMultipartUploadsResult/>",
  "GET versions":
    "<ListVersionsResult><Version><Key>epochs/1</Key><VersionId>v1</VersionId></Version></ListVersionsResult>",
  "POST delete": "<DeleteResult/>",
  "DELETE ": "",
};

test("a store that is too busy for a moment does not end the emptying of a bucket", async () => {
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
