import { expect, test } from "vitest";

import { startProductServer } from "../product/product-server.ts";
import { createCustomer, invoiceBody } from "./example-invoice.ts";

test("revenue is summed by month and currency, of paid invoices, from a month on", async () => {
  await using server = await startProductServer();
  const customerId = await createCustomer(server);
  const invoices = [
    ["R-1", "EUR"],
    ["R-2", "EUR"],
    ["R-3", "USD"],
    ["R-4", "EUR"],
  ];
  const ids: string[] = [];
  for (const [reference, currency] of invoices) {
    const { body } = await server.call("POST", "/invoices", { body: invoiceBody(customerId, { reference, currency }) });
    ids.push(String(body["id"]));
  }
  const paidIn = new Set<string>();
  for (const id of ids.slice(0, 3)) {
    const { body } = await server.call("POST", `/invoices/${id}/payment`);
    paidIn.add(String(body["paidAt"]).slice(0, 7));
  }
  const [month = ""] = paidIn;
  expect(paidIn.size, "the test ran over the end of a month").toBe(1);
  expect((await server.call("GET", "/revenue")).body).toEqual({
    months: [
      { month, currency: "EUR", invoices: 2, totalCents: 2 * 5997 },
      { month, currency: "USD", invoices: 1, totalCents: 5997 },
    ],
  });
  expect((await server.call("GET", `/revenue?from=${month}`)).body).toMatchObject({ months: [{}, {}] });
  expect((await server.call("GET", "/revenue?from=9999-12")).body).toEqual({ months: [] });
  expect((await server.call("GET", "/revenue?from=2026-13")).status).toBe(400);
});
