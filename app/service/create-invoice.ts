import { type CommandContext, defineCommand } from "../database/command.ts";
import { query } from "../database/transaction.ts";
import type { Transaction } from "../database/transaction.ts";
import { CommandRejected } from "../database/write-outcome.ts";
import type { InvoiceInput, InvoiceLine } from "./invoice-input.ts";
import { toInvoice } from "./invoice.ts";
import type { Invoice } from "./invoice.ts";
import { sumCents } from "./sum-cents.ts";
import { tables } from "./tables.ts";
import type { InvoicesTable } from "./tables.ts";

/**
 * Stores an open invoice with its lines. Throws CommandRejected `unknown-customer` (422), `conflict` (409) when the
 * reference is taken, `amount-too-large` (422).
 */
export const createInvoice = defineCommand(
  "create-invoice",
  function* (input: InvoiceInput, context): Transaction<Invoice> {
    const totalCents = sumCents(input.lines);
    yield* demandCustomer(input.customerId);
    const row = yield* insertInvoice(input, totalCents, context);
    const lines = yield* insertLines(row.id, input.lines);
    return toInvoice(row, lines);
  },
);

/** The id comes from the body, so an unknown one is 422 and not 404. */
function* demandCustomer(id: string): Transaction<void> {
  const [customer] = yield* query(tables.selectFrom("customers").select("id").where("id", "=", id));
  if (customer === undefined) throw new CommandRejected("unknown-customer", 422, `There is no customer ${id}.`);
}

function* insertInvoice(
  input: InvoiceInput,
  totalCents: number,
  { now, nextId }: CommandContext,
): Transaction<InvoicesTable> {
  const row = {
    id: yield* nextId("invoices"),
    customer_id: input.customerId,
    reference: input.reference,
    currency: input.currency,
    total_cents: totalCents,
    status: "open",
    created_at: now.toISOString(),
    paid_at: null,
  } as const;
  const stored = yield* query(
    tables
      .insertInto("invoices")
      .values(row)
      .onConflict((conflict) => conflict.column("reference").doNothing())
      .returning("id"),
  );
  if (stored.length === 0) throw new CommandRejected("conflict", 409, "An invoice with this reference exists already.");
  return row;
}

function* insertLines(invoiceId: string, lines: InvoiceLine[]) {
  const rows = lines.map((line, index) => ({
    invoice_id: invoiceId,
    position: index + 1,
    description: line.description,
    quantity: line.quantity,
    unit_cents: line.unitCents,
  }));
  // One statement a line: its text never changes, so the writer compiles it once whatever the number of lines.
  for (const row of rows) yield* query(tables.insertInto("invoice_lines").values(row));
  return rows;
}
