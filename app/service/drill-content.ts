import type { DrillContent } from "../drill-subject.ts";
import type { CustomerInput } from "./customer-input.ts";
import type { InvoiceInput } from "./invoice-input.ts";

/** The drill finds a customer by its unique address. */
export function customerContent({ email, name }: CustomerInput): DrillContent {
  return { kind: "customer", key: email, content: [email, name] };
}

/** The drill finds an invoice by its unique reference. Its lines and their order are part of the content. */
export function invoiceContent(invoice: InvoiceInput & { totalCents: number }): DrillContent {
  const { customerId, reference, currency, totalCents } = invoice;
  const lines = invoice.lines.map(({ description, quantity, unitCents }) => [description, quantity, unitCents]);
  return { kind: "invoice", key: reference, content: [customerId, reference, currency, totalCents, lines] };
}

/** A payment changes an existing invoice, so it is a fact of its own, with the invoice's reference as key. */
export function paymentContent(reference: string): DrillContent {
  return { kind: "payment", key: reference, content: ["paid", reference] };
}
