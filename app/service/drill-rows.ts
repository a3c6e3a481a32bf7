import type { DrillRow, SelectRows } from "../drill-subject.ts";
import { customerContent, invoiceContent, paymentContent } from "./drill-content.ts";
import type { InvoiceLine } from "./invoice-input.ts";
import type { CustomersTable, InvoicesTable } from "./tables.ts";

/** Reads all customers, invoices and payments. Throws when a line belongs to no invoice. */
export function* readDrillRows(select: SelectRows): Generator<DrillRow> {
  for (const row of select<CustomersTable>("SELECT * FROM customers NOT INDEXED"))
    yield { ...customerContent(row), id: row.id };
  for (const row of select<InvoicesTable>("SELECT * FROM invoices NOT INDEXED")) yield* readInvoice(select, row);
  const [orphans] = select<{ count: number }>(orphansText);
  if (orphans?.count !== 0) throw new Error(`${orphans?.count} lines belong to no invoice: nobody wrote those`);
}

const orphansText =
  "SELECT count(*) AS count FROM invoice_lines WHERE invoice_id NOT IN (SELECT id FROM invoices NOT INDEXED)";
const linesText =
  'SELECT description, quantity, unit_cents AS "unitCents" FROM invoice_lines WHERE invoice_id = ? ORDER BY position';

function* readInvoice(select: SelectRows, row: InvoicesTable): Generator<DrillRow> {
  const { id, customer_id: customerId, reference, currency, total_cents: totalCents } = row;
  const lines = [...select<InvoiceLine>(linesText, id)];
  yield { ...invoiceContent({ customerId, reference, currency, totalCents, lines }), id };
  if (row.status !== "open" || row.paid_at !== null) yield { ...paymentContent(reference), id };
}
