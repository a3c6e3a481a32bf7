import { expect, test } from "vitest";

import { addPage } from "./example-page.ts";
import { startTestServer } from "./test-server.ts";

const body = { title: "Ada", words: "Hello." };
const headers = { "idempotency-key": "ada-signs-up" };

test("the same key with the same body, its keys in any order, gives the first answer again", async () => {
  await using server = await startTestServer();
  const first = await server.call("POST", "/pages", { body, headers });
  const reordered = `{ "words": "Hello.",   "title": "Ada" }`;
  for (const same of [body, reordered]) {
    const replay = await server.call("POST", "/pages", { body: same, headers });
    expect([replay.status, replay.headers["idempotency-replayed"], replay.body]).toEqual([201, "true", first.body]);
  }
  expect((await server.call("GET", "/pages")).body["items"]).toHaveLength(1);
});

test("the same key with another body, or at another path, answers 422 and writes nothing", async () => {
  await using server = await startTestServer();
  const id = await addPage(server);
  await server.call("POST", `/pages/${id}/publication`, { headers });
  const answers = [
    await server.call("POST", "/pages", { body: { ...body, title: "eve" }, headers }),
    await server.call("POST", "/pages/another/publication", { headers }),
  ];
  for (const answer of answers) {
    expect([answer.status, answer.body["type"]]).toEqual([422, "urn:lifeboat:problem:idempotency-key-reused"]);
  }
  expect((await server.call("GET", "/pages")).body["items"]).toHaveLength(1);
});

test("a payment repeated with its key is the same payment, not a conflict", async () => {
  await using server = await startTestServer();
  const path = `/pages/${await addPage(server)}/publication`;
  const first = await server.call("POST", path, { headers });
  const replay = await server.call("POST", path, { headers });
  expect([replay.status, replay.headers["idempotency-replayed"], replay.body]).toEqual([200, "true", first.body]);
  const withoutKey = await server.call("POST", path);
  expect(withoutKey.status).toBe(409);
});

test("a refused write leaves its key free", async () => {
  await using server = await startTestServer();
  await addPage(server, "Taken");
  expect((await server.call("POST", "/pages", { body: { title: "Taken" }, headers })).status).toBe(409);
  const answer = await server.call("POST", "/pages", { body, headers });
  expect([answer.status, answer.headers["idempotency-replayed"]]).toEqual([201, undefined]);
});

test("concurrent requests with one key write once and get one answer", async () => {
  await using server = await startTestServer();
  const answers = await Promise.all(Array.from({ length: 20 }, () => server.call("POST", "/pages", { body, headers })));
  expect(new Set(answers.map((answer) => answer.text)).size).toBe(1);
  expect(answers.filter((answer) => answer.headers["idempotency-replayed"] === undefined)).toHaveLength(1);
  expect((await server.call("GET", "/pages")).body["items"]).toHaveLength(1);
});
