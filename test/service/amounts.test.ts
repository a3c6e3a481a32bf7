import { expect, test } from "vitest";

import { startProductServer } from "../product/product-server.ts";
import { createCustomer, invoiceBody } from "./example-invoice.ts";

const line = { description: "Hosting", quantity: 1, unitCents: 1 };

test("amounts that are no count of cents are refused with the field's name", async () => {
  await using server = await startProductServer();
  const customerId = await createCustomer(server);
  for (const unitCents of [-1, 0.5, 1.000001, 2 ** 53, 1e300, "100", null, true]) {
    const body = invoiceBody(customerId, { lines: [{ ...line, unitCents }] });
    const answer = await server.call("POST", "/invoices", { body });
    expect(answer.status, String(unitCents)).toBe(400);
    expect(answer.body["errors"], String(unitCents)).toContainEqual(
      expect.objectContaining({ in: "body", pointer: "/lines/0/unitCents" }),
    );
  }
  for (const quantity of [0, -1, 1.5, 2 ** 53]) {
    const body = invoiceBody(customerId, { lines: [{ ...line, quantity }] });
    expect((await server.call("POST", "/invoices", { body })).status, String(quantity)).toBe(400);
  }
  expect((await server.call("GET", "/invoices")).body["items"]).toEqual([]);
});

test("a total above 2^53 - 1 cents is refused, by product and by sum; exactly 2^53 - 1 is kept exactly", async () => {
  await using server = await startProductServer();
  const customerId = await createCustomer(server);
  const largest = Number.MAX_SAFE_INTEGER;
  const product = [{ ...line, quantity: 2, unitCents: 2 ** 52 }];
  const sum = [{ ...line, unitCents: largest }, line];
  for (const lines of [product, sum]) {
    const { status, body } = await server.call("POST", "/invoices", { body: invoiceBody(customerId, { lines }) });
    expect([status, body["type"]]).toEqual([422, "urn:lifeboat:problem:amount-too-large"]);
  }
  const lines = [{ ...line, unitCents: largest }];
  const created = await server.call("POST", "/invoices", { body: invoiceBody(customerId, { lines }) });
  expect(created.body["totalCents"]).toBe(largest);
  const read = await server.call("GET", `/invoices/${String(created.body["id"])}`);
  expect(read.body).toEqual(created.body);
});
