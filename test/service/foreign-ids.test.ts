import { expect, test } from "vitest";

import { followId } from "../../app/database/next-id.ts";
import { decodeCursor, encodeCursor } from "../../app/http/reads.ts";
import { createCustomer } from "../../app/service/create-customer.ts";
import { createInvoice } from "../../app/service/create-invoice.ts";
import { listCustomers } from "../../app/service/queries.ts";
import { openProductDatabase, type ProductDatabase } from "../product/product-database.ts";

const foreignIds = [
  "42",
  "zzz",
  "kunde:ö/1",
  "ffffffff-ffff-7fff-bfff-ffffffffffff",
  "f47ac10b-58cc-4372-a567-0e02b2c3d479",
  "03zzzzzz-zzzz-7zzz-zzzz-zzzzzzzzzzzz",
  "02ZZZZZZ-ZZZZ-7ZZZ-ZZZZ-ZZZZZZZZZZZZ",
];

function addForeign({ db }: ProductDatabase, ids: readonly string[]): void {
  const insert = db.prepare("insert into customers (id, name, email, created_at) values (?, 'x', ?, '2020-01-01')");
  for (const id of ids) insert.run(id, `${id}@foreign.example`);
}

test("customers and invoices are added after rows with foreign ids, and sort in order of creation", () => {
  using product = openProductDatabase();
  addForeign(product, foreignIds);
  const added = Array.from({ length: 20 }, (_, index) =>
    product.execute(createCustomer, { name: "Ada", email: `${index}@example.com` }),
  );
  const ids = added.map(({ id }) => id);
  expect(ids).toEqual(ids.toSorted());
  const lines = [{ description: "x", quantity: 1, unitCents: 1 }];
  for (const [index, customerId] of foreignIds.entries()) {
    const invoice = product.execute(createInvoice, { customerId, reference: `R-${index}`, currency: "EUR", lines });
    expect(invoice.customerId).toBe(customerId);
  }
});

test.each([
  ["an hour ahead", followId(undefined, Date.now() + 3_600_000)],
  ["centuries ahead", "eeeeeeee-0000-7000-8000-000000000000"],
])("the newest own id counts, not the foreign one behind it, when the clock was %s", (_, ahead) => {
  using product = openProductDatabase();
  addForeign(product, [...foreignIds, ahead]);
  const { id } = product.execute(createCustomer, { name: "Ada", email: "ada@example.com" });
  expect(id.slice(0, 18) > ahead.slice(0, 18)).toBe(true);
});

test("following the cursors passes foreign ids, each row once", () => {
  using product = openProductDatabase();
  addForeign(product, foreignIds);
  product.execute(createCustomer, { name: "Ada", email: "ada@example.com" });
  const seen: string[] = [];
  let after: string | undefined;
  do {
    const [row] = product.run(listCustomers({ after, limit: 1 }));
    after = row === undefined ? undefined : decodeCursor("customers", encodeCursor("customers", row.id));
    if (after !== undefined) seen.push(after);
  } while (after !== undefined);
  expect(seen).toHaveLength(foreignIds.length + 1);
  expect(new Set(seen).size).toBe(seen.length);
});

test(
  "behind many random ids of another product, a write searches only what sorts before the year 2100",
  { timeout: 60_000 },
  () => {
    using product = openProductDatabase();
    product.db.exec(`insert into customers select
    substr(h, 1, 8) || '-' || substr(h, 9, 4) || '-4' || substr(h, 14, 3) || '-a' || substr(h, 18, 3) || '-' || substr(h, 21),
    'x', h, '2020-01-01' from (select lower(hex(randomblob(16))) as h from
    (with recursive n(i) as (select 1 union all select i + 1 from n where i < 100000) select i from n))`);
    const plan = product.db.prepare(
      "explain query plan select id from customers where id like ? and id < ? order by id desc limit 1",
    );
    expect(JSON.stringify(plan.all("x", "y"))).toContain("id<?");
    expect(product.execute(createCustomer, { name: "Ada", email: "ada@example.com" }).id).toMatch(/^0/);
  },
);
