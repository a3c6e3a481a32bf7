import { expect, test } from "vitest";

import { startProductServer } from "../product/product-server.ts";
import { createInvoice } from "./example-invoice.ts";

const head = `"customerId":"c","reference":"r","currency":"EUR"`;
const repeat = (text: string, count: number): string => Array.from({ length: count }, () => text).join(",");
const keys = (count: number): string => Array.from({ length: count }, (_, index) => `"k${index}":{}`).join(",");

test("each route takes bodies of its own size: 1 KiB for a payment, 1 MiB for an invoice, 16 KiB elsewhere", async () => {
  await using server = await startProductServer();
  const id = await createInvoice(server);
  const sizes = { "/customers": 16 * 1024, [`/invoices/${id}/payment`]: 1024, "/invoices": 1024 * 1024 };
  for (const [path, size] of Object.entries(sizes)) {
    const within = await server.call("POST", path, { body: `{"x":1}${" ".repeat(size - 7)}` });
    expect([within.status, path]).toEqual([400, path]);
    const beyond = await server.call("POST", path, { body: `{"x":1}${" ".repeat(size - 6)}` });
    expect([beyond.status, path]).toEqual([413, path]);
  }
});

test("an array that is too long is told by its length, and none of its items is looked at", async () => {
  await using server = await startProductServer();
  const answer = await server.call("POST", "/invoices", { body: `{${head},"lines":[${repeat("{}", 300_000)}]}` });
  expect(answer.status).toBe(400);
  expect(answer.body["errors"]).toEqual([
    { in: "body", pointer: "/lines", message: "must not have more than 500 items" },
  ]);
});

test.each([
  ["at the top", `{${head},${keys(50_000)}}`, "/k0"],
  ["in a line", `{${head},"lines":[{${keys(50_000)}}]}`, "/lines/0/k0"],
])("many unknown keys %s are told by the first twenty", async (_, body, pointer) => {
  await using server = await startProductServer();
  const { status, body: problem } = await server.call("POST", "/invoices", { body });
  expect(status).toBe(400);
  expect(problem["errors"]).toHaveLength(20);
  expect(problem["errors"]).toContainEqual({ in: "body", pointer, message: "is unknown" });
});
