import { expect, test } from "vitest";

import { createCustomer } from "../../app/service/create-customer.ts";
import { createInvoice } from "../../app/service/create-invoice.ts";
import { payInvoice } from "../../app/service/pay-invoice.ts";
import { listInvoices, readCustomer, readInvoice } from "../../app/service/queries.ts";
import { openProductDatabase } from "../product/product-database.ts";

const ada = { name: "Ada", email: "ada@example.com" };
const line = { description: "Hosting", quantity: 2, unitCents: 250 };
const invoiceOf = (customerId: string, lines = [line]) => ({ customerId, reference: "R-1", currency: "EUR", lines });

test("what a command returns is what a query reads", () => {
  using product = openProductDatabase();
  const customer = product.execute(createCustomer, ada);
  expect(product.run(readCustomer(customer.id))).toEqual(customer);
  const lines = [line, { ...line, description: "Traffic" }, line];
  const invoice = product.execute(createInvoice, invoiceOf(customer.id, lines));
  expect(invoice).toMatchObject({ totalCents: 1500, lines, status: "open" });
  expect(product.run(readInvoice(invoice.id))).toEqual(invoice);
  const paid = product.execute(payInvoice, { invoiceId: invoice.id });
  expect(product.run(readInvoice(invoice.id))).toEqual(paid);
  expect(paid).toEqual({ ...invoice, status: "paid", paidAt: paid.paidAt });
});

test("a refused command leaves nothing behind", () => {
  using product = openProductDatabase();
  const { id } = product.execute(createCustomer, ada);
  product.execute(createInvoice, invoiceOf(id));
  const refused = {
    conflict: () => product.execute(createInvoice, invoiceOf(id)),
    "unknown-customer": () => product.execute(createInvoice, { ...invoiceOf("nobody"), reference: "R-2" }),
    "amount-too-large": () =>
      product.execute(createInvoice, invoiceOf(id, [{ ...line, unitCents: Number.MAX_SAFE_INTEGER }])),
    "not-found": () => product.execute(payInvoice, { invoiceId: "nothing" }),
  };
  for (const [code, command] of Object.entries(refused)) expect(command).toThrow(code);
  expect(() => product.execute(createCustomer, ada)).toThrow("conflict");
  expect(product.db.prepare("select count(*) from invoice_lines").pluck().get()).toBe(1);
  expect(product.run(listInvoices({ after: undefined, limit: 10, customerId: undefined }))).toHaveLength(1);
});

test("an invoice is paid once, and its payment keeps its first time", () => {
  using product = openProductDatabase();
  const { id } = product.execute(createCustomer, ada);
  const invoice = product.execute(createInvoice, invoiceOf(id));
  const paid = product.execute(payInvoice, { invoiceId: invoice.id });
  expect(() => product.execute(payInvoice, { invoiceId: invoice.id })).toThrow("already-paid");
  expect(product.run(readInvoice(invoice.id))).toEqual(paid);
});

test("the schema itself refuses amounts, states and owners that cannot be", () => {
  using product = openProductDatabase();
  const { id } = product.execute(createCustomer, ada);
  const invoice = product.execute(createInvoice, invoiceOf(id));
  const impossible = [
    "update invoices set total_cents = -1",
    "update invoices set status = 'gone'",
    "update invoices set status = 'paid'",
    "update invoices set customer_id = 'nobody'",
    "update invoice_lines set quantity = 0",
    "update invoice_lines set unit_cents = -1",
    `insert into invoice_lines select * from invoice_lines where invoice_id = '${invoice.id}'`,
    `delete from customers where id = '${id}'`,
  ];
  for (const statement of impossible) expect(() => product.db.exec(statement), statement).toThrow("constraint failed");
});

test("ids keep growing when the clock goes back", () => {
  using product = openProductDatabase();
  const future = "ffffffff-0000-7000-8000-000000000000";
  product.db.exec(`insert into customers values ('${future}', 'From a clock that was ahead', 'x@example.com', '')`);
  const created = [0, 1, 2].map((number) =>
    product.execute(createCustomer, { ...ada, email: `${number}@example.com` }),
  );
  const ids = [future, ...created.map(({ id }) => id)];
  expect(ids).toEqual(ids.toSorted());
  expect(new Set(ids).size).toBe(4);
});

test("lists come from an index and not from a scan or a sort", () => {
  using product = openProductDatabase();
  const reading = listInvoices({ after: "x", limit: 10, customerId: "y" });
  const compiled = reading.next().value;
  if (!("sql" in compiled)) throw new Error("the list yields no statement");
  const plan = product.db.prepare(`explain query plan ${compiled.sql}`).all(...compiled.parameters);
  expect(JSON.stringify(plan)).toContain("SEARCH invoices USING INDEX invoices_of_customer (customer_id=? AND id>?)");
  expect(JSON.stringify(plan)).not.toContain("TEMP B-TREE");
});
