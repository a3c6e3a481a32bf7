import { expect, test } from "vitest";

import { change, compareAfter } from "../drill/compare-after.ts";

const timeout = 300_000;

test.each([
  ["one cent added to a total", "UPDATE invoices SET total_cents = total_cents + 1 WHERE rowid = 1"],
  ["two lines of an invoice merged", "DELETE FROM invoice_lines WHERE rowid = 1"],
])("%s: a row differs", { timeout }, async (_, sql) => {
  expect((await compareAfter({ inDatabase: change(sql) })).differing).toBe(1);
});

test("a row that nobody wrote is found", { timeout }, async () => {
  const sql = "INSERT INTO customers (id, name, email, created_at) VALUES ('x', 'Eve', 'eve@example.test', '2026')";
  expect((await compareAfter({ inDatabase: change(sql) })).unexpected).toBe(1);
});
