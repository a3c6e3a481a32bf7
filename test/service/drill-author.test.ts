import { expect, test } from "vitest";

import type { DrillWrite } from "../../app/drill-subject.ts";
import { invoiceContent } from "../../app/service/drill-content.ts";
import { product } from "../../app/service/product.ts";
import { seedRandom } from "../../scripts/drill/random.ts";

function write(seed: number): DrillWrite[] {
  const author = product.drill.startAuthor({ name: "a", random: seedRandom(seed), isLarge: false });
  return Array.from({ length: 200 }, (_, id) => {
    const next = author.next();
    author.learn?.(next, `id-${id}`);
    return next;
  });
}

test("the same seed writes the same, another seed something else", () => {
  expect(write(7)).toEqual(write(7));
  expect(write(7)).not.toEqual(write(8));
});

test("an author writes customers, invoices and payments, each under a name of its own", () => {
  const writes = write(7);
  expect(new Set(writes.map(({ kind }) => kind))).toEqual(new Set(["customer", "invoice", "payment"]));
  expect(new Set(writes.map(({ kind, key }) => `${kind} ${key}`)).size).toBe(writes.length);
});

test("an invoice differs when one line, the order of lines or the total differs", () => {
  const lines = [
    { description: "a", quantity: 1, unitCents: 2 },
    { description: "b", quantity: 3, unitCents: 4 },
  ];
  const invoice = { customerId: "c", reference: "r", currency: "EUR", totalCents: 14, lines };
  const contents = [
    invoice,
    { ...invoice, lines: lines.toReversed() },
    { ...invoice, lines: lines.slice(1) },
    { ...invoice, totalCents: 15 },
    { ...invoice, customerId: "d" },
  ].map((changed) => JSON.stringify(invoiceContent(changed).content));
  expect(new Set(contents).size).toBe(contents.length);
});
