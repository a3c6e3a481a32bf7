import { expect, test } from "vitest";

import { createInvoice } from "./example-invoice.ts";
import { startTestServer } from "./test-server.ts";

const body = { name: "Ada", email: "ada@example.com" };
const headers = { "idempotency-key": "ada-signs-up" };

test("the same key with the same body, its keys in any order, gives the first answer again", async () => {
  await using server = await startTestServer();
  const first = await server.call("POST", "/customers", { body, headers });
  const reordered = `{ "email": "ada@example.com",   "name": "Ada" }`;
  for (const same of [body, reordered]) {
    const replay = await server.call("POST", "/customers", { body: same, headers });
    expect([replay.status, replay.headers["idempotency-replayed"], replay.body]).toEqual([201, "true", first.body]);
  }
  expect((await server.call("GET", "/customers")).body["items"]).toHaveLength(1);
});

test("the same key with another body, or at another path, answers 422 and writes nothing", async () => {
  await using server = await startTestServer();
  const id = await createInvoice(server);
  await server.call("POST", `/invoices/${id}/payment`, { headers });
  const answers = [
    await server.call("POST", "/customers", { body: { ...body, name: "Eve", email: "eve@example.com" }, headers }),
    await server.call("POST", "/invoices/another/payment", { headers }),
  ];
  for (const answer of answers) {
    expect([answer.status, answer.body["type"]]).toEqual([422, "urn:lifeboat:problem:idempotency-key-reused"]);
  }
  expect((await server.call("GET", "/customers")).body["items"]).toHaveLength(1);
});

test("a payment repeated with its key is the same payment, not a conflict", async () => {
  await using server = await startTestServer();
  const path = `/invoices/${await createInvoice(server)}/payment`;
  const first = await server.call("POST", path, { headers });
  const replay = await server.call("POST", path, { headers });
  expect([replay.status, replay.headers["idempotency-replayed"], replay.body]).toEqual([200, "true", first.body]);
  const withoutKey = await server.call("POST", path);
  expect(withoutKey.status).toBe(409);
});

test("a refused write leaves its key free", async () => {
  await using server = await startTestServer();
  const unknown = {
    customerId: "nobody",
    reference: "R",
    currency: "EUR",
    lines: [{ description: "x", quantity: 1, unitCents: 1 }],
  };
  expect((await server.call("POST", "/invoices", { body: unknown, headers })).status).toBe(422);
  const answer = await server.call("POST", "/customers", { body, headers });
  expect([answer.status, answer.headers["idempotency-replayed"]]).toEqual([201, undefined]);
});

test("concurrent requests with one key write once and get one answer", async () => {
  await using server = await startTestServer();
  const answers = await Promise.all(
    Array.from({ length: 20 }, () => server.call("POST", "/customers", { body, headers })),
  );
  expect(new Set(answers.map((answer) => answer.text)).size).toBe(1);
  expect(answers.filter((answer) => answer.headers["idempotency-replayed"] === undefined)).toHaveLength(1);
  expect((await server.call("GET", "/customers")).body["items"]).toHaveLength(1);
});
