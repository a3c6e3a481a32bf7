import { createHash } from "node:crypto";

export type Durability = "commit" | "disk" | "bucket";

/**
 * What one write puts into the database. A payment is a fact of its own: it changes an invoice that was there before.
 */
export type FactKind = "customer" | "invoice" | "payment";

/** One thing that was written or found: its unique name, and the SHA-256 of everything in it that the client chose. */
export type Fact = Readonly<{ kind: FactKind; key: string; sha256: string }>;

/** A fact in a database, with the id that the server gave it. */
export type FoundFact = Fact & Readonly<{ id: string }>;

export type CustomerContent = Readonly<{ email: string; name: string }>;
export type LineContent = Readonly<{ description: string; quantity: number; unitCents: number }>;
export type InvoiceContent = Readonly<{
  customerId: string;
  reference: string;
  currency: string;
  totalCents: number;
  lines: readonly LineContent[];
}>;

/** A customer is known by the address, which is unique. */
export function customerFact({ email, name }: CustomerContent): Fact {
  return { kind: "customer", key: email, sha256: hashContent([email, name]) };
}

/** An invoice is known by its reference, which is unique; its lines and their order belong to it. */
export function invoiceFact(invoice: InvoiceContent): Fact {
  const lines = invoice.lines.map(({ description, quantity, unitCents }) => [description, quantity, unitCents]);
  const content = [invoice.customerId, invoice.reference, invoice.currency, invoice.totalCents, lines];
  return { kind: "invoice", key: invoice.reference, sha256: hashContent(content) };
}

/** The payment of an invoice, known by the invoice's reference. */
export function paymentFact(reference: string): Fact {
  return { kind: "payment", key: reference, sha256: hashContent(["paid", reference]) };
}

function hashContent(content: unknown): string {
  return createHash("sha256").update(JSON.stringify(content)).digest("base64");
}
