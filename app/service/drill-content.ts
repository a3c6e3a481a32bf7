import type { DrillContent } from "../drill-subject.ts";
import type { CustomerInput } from "./customer-input.ts";
import type { InvoiceInput } from "./invoice-input.ts";

/** A customer is known by the address, which is unique. */
export function customerContent({ email, name }: CustomerInput): DrillContent {
  return { kind: "customer", key: email, content: [email, name] };
}

/** An invoice is known by its reference, which is unique; its lines and their order belong to it. */
export function invoiceContent(invoice: InvoiceInput & { totalCents: number }): DrillContent {
  const { customerId, reference, currency, totalCents } = invoice;
  const lines = invoice.lines.map(({ description, quantity, unitCents }) => [description, quantity, unitCents]);
  return { kind: "invoice", key: reference, content: [customerId, reference, currency, totalCents, lines] };
}

/** A payment changes an invoice that was there before, so it counts by itself, under the invoice's reference. */
export function paymentContent(reference: string): DrillContent {
  return { kind: "payment", key: reference, content: ["paid", reference] };
}
