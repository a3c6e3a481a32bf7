import { type Static, Type } from "typebox";

import { InvoiceLine } from "./invoice-input.ts";
import type { InvoiceLinesTable, InvoicesTable } from "./tables.ts";

/** An invoice as lists show it, without its lines. Money is in integer cents, times are ISO 8601 in UTC. */
const summary = {
  id: Type.String(),
  customerId: Type.String(),
  reference: Type.String(),
  currency: Type.String(),
  totalCents: Type.Integer(),
  status: Type.Union([Type.Literal("open"), Type.Literal("paid")]),
  createdAt: Type.String(),
  paidAt: Type.Union([Type.String(), Type.Null()]),
};
export const InvoiceSummary = Type.Object(summary, { additionalProperties: false });
export type InvoiceSummary = Static<typeof InvoiceSummary>;

export const Invoice = Type.Object({ ...summary, lines: Type.Array(InvoiceLine) }, { additionalProperties: false });
export type Invoice = Static<typeof Invoice>;

/** Turns a stored row into what lists show. */
export function toInvoiceSummary(row: InvoicesTable): InvoiceSummary {
  return {
    id: row.id,
    customerId: row.customer_id,
    reference: row.reference,
    currency: row.currency,
    totalCents: row.total_cents,
    status: row.status,
    createdAt: row.created_at,
    paidAt: row.paid_at,
  };
}

/** Turns a stored row and its lines, in order, into what the API shows. */
export function toInvoice(row: InvoicesTable, lines: InvoiceLinesTable[]): Invoice {
  return {
    ...toInvoiceSummary(row),
    lines: lines.map((line) => ({
      description: line.description,
      quantity: line.quantity,
      unitCents: line.unit_cents,
    })),
  };
}
