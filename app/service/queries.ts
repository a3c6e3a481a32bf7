import { compileOnce } from "../database/sql.ts";
import { query, queryAlone } from "../database/transaction.ts";
import type { Reading } from "../database/transaction.ts";
import type { Slice } from "../http/reads.ts";
import { toCustomer } from "./customer.ts";
import type { Customer } from "./customer.ts";
import { toInvoice, toInvoiceSummary } from "./invoice.ts";
import type { Invoice, InvoiceSummary } from "./invoice.ts";
import { tables } from "./tables.ts";

const customerById = compileOnce((id: string) => tables.selectFrom("customers").selectAll().where("id", "=", id));

export function* readCustomer(id: string): Reading<Customer | undefined> {
  const [row] = yield* queryAlone(customerById(id));
  return row && toCustomer(row);
}

export function* listCustomers({ after, limit }: Slice): Reading<Customer[]> {
  // Every id is greater than the empty text, so the first slice needs no statement of its own.
  const statement = tables
    .selectFrom("customers")
    .selectAll()
    .where("id", ">", after ?? "");
  const rows = yield* query(statement.orderBy("id").limit(limit));
  return rows.map(toCustomer);
}

export function* readInvoice(id: string): Reading<Invoice | undefined> {
  const [row] = yield* query(tables.selectFrom("invoices").selectAll().where("id", "=", id));
  if (row === undefined) return undefined;
  const lines = yield* query(
    tables.selectFrom("invoice_lines").selectAll().where("invoice_id", "=", id).orderBy("position"),
  );
  return toInvoice(row, lines);
}

export function* listInvoices(slice: Slice & { customerId: string | undefined }): Reading<InvoiceSummary[]> {
  const { after, limit, customerId } = slice;
  const every = tables
    .selectFrom("invoices")
    .selectAll()
    .where("id", ">", after ?? "");
  const wanted = customerId === undefined ? every : every.where("customer_id", "=", customerId);
  const rows = yield* query(wanted.orderBy("id").limit(limit));
  return rows.map(toInvoiceSummary);
}
