import { expect, test } from "vitest";

import { addPage } from "./example-page.ts";
import { startTestServer } from "./test-server.ts";

const body = { title: "ada" };
const headers = { "idempotency-key": "ada-signs-up", durability: "bucket" };
const refusal = "the base of 300 MB is still going up";

test("a replay while the epoch opens tells what was committed, and that the bucket does not hold it yet", async () => {
  await using server = await startTestServer();
  const first = await server.call("POST", "/pages", { body, headers });
  server.replication.bucketRefusal = refusal;
  const replay = await server.call("POST", "/pages", { body, headers });
  expect([replay.status, replay.headers["durability"], replay.body]).toEqual([202, "disk", first.body]);
  expect(replay.headers["idempotency-replayed"]).toBe("true");
  expect(replay.headers["lifeboat-not-replicated"]).toBe(refusal);
  server.replication.bucketRefusal = null;
  const later = await server.call("POST", "/pages", { body, headers });
  expect([later.status, later.headers["durability"], later.body]).toEqual([201, "bucket", first.body]);
});

test("a payment written at `disk` before the epoch opened is replayed, not reported as unwritten", async () => {
  await using server = await startTestServer();
  const path = `/pages/${await addPage(server)}/publication`;
  const key = { "idempotency-key": "pay-once-0001" };
  const first = await server.call("POST", path, { headers: { ...key, durability: "disk" } });
  server.replication.bucketRefusal = refusal;
  const replay = await server.call("POST", path, { headers: key });
  expect([replay.status, replay.body]).toEqual([202, first.body]);
});

test("a first write while the epoch opens is refused, leaves its key free, and speaks only of this request", async () => {
  await using server = await startTestServer();
  server.replication.bucketRefusal = refusal;
  const keyed = await server.call("POST", "/pages", { body, headers });
  const plain = await server.call("POST", "/pages", { body, headers: { durability: "bucket" } });
  for (const answer of [keyed, plain]) {
    expect([answer.status, answer.body["type"]]).toEqual([503, "urn:lifeboat:problem:bucket-not-writable"]);
    expect(answer.body["detail"]).toContain("This request wrote nothing");
    expect(answer.body["detail"]).toContain(refusal);
    expect(answer.headers["retry-after"]).toBe("5");
  }
  expect((await server.call("GET", "/pages")).body["items"]).toEqual([]);
  server.replication.bucketRefusal = null;
  expect((await server.call("POST", "/pages", { body, headers })).status).toBe(201);
});

test("another request with the key is refused as such, whatever the bucket's state", async () => {
  await using server = await startTestServer();
  await server.call("POST", "/pages", { body, headers });
  server.replication.bucketRefusal = refusal;
  const answer = await server.call("POST", "/pages", { body: { ...body, title: "Eve" }, headers });
  expect([answer.status, answer.body["type"]]).toEqual([422, "urn:lifeboat:problem:idempotency-key-reused"]);
});

test("a replay that the writer refuses is not reported as unwritten either", async () => {
  await using server = await startTestServer();
  await server.call("POST", "/pages", { body, headers });
  server.writer.fence();
  const answer = await server.call("POST", "/pages", { body, headers });
  expect([answer.status, answer.body["type"]]).toEqual([503, "urn:lifeboat:problem:fenced"]);
  expect(answer.body["detail"]).toContain("This request wrote nothing");
});
