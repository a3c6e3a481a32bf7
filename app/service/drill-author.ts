import type { DrillAuthor, DrillAuthorOptions, DrillWrite } from "../drill-subject.ts";
import { customerContent, invoiceContent, paymentContent } from "./drill-content.ts";
import type { InvoiceLine } from "./invoice-input.ts";

// Text that is easily damaged: quotes, SQL, other alphabets, composed and decomposed letters, emoji, spaces.
const fragments = [
  "Hosting, yearly",
  `It's "quoted"`,
  "'); DROP TABLE invoices; --",
  "naïve Zürich",
  "e\u0301 is not \u00e9",
  "日本語",
  "عربى",
  "🚤🛟",
  " leading and trailing ",
  "50 % off",
  String.raw`a\b`,
  "null",
] as const;
const currencies = ["EUR", "USD", "CHF"] as const;
const longLineLength = 500;
const longLineCount = 500;
const payableLimit = 50;

/** Makes up writes that are valid and all different: customers, their invoices, and payments of those. */
export class BillingAuthor implements DrillAuthor {
  readonly #options: DrillAuthorOptions;
  #count = 0;
  readonly #customerIds: string[] = [];
  readonly #payable: { id: string; reference: string }[] = [];

  constructor(options: DrillAuthorOptions) {
    this.#options = options;
  }

  next(): DrillWrite {
    this.#count += 1;
    const customerId = this.#customerIds.at(-1);
    const choice = this.#options.random();
    if (customerId === undefined || choice < 0.05) return this.#writeCustomer();
    const payable = choice < 0.2 && !this.#options.isLarge ? this.#payable.shift() : undefined;
    return payable ? payInvoice(payable) : this.#writeInvoice(customerId);
  }

  learn({ kind, key }: DrillWrite, id: string): void {
    if (kind === "customer") this.#customerIds.push(id);
    if (kind === "invoice" && this.#payable.length < payableLimit) this.#payable.push({ id, reference: key });
  }

  #writeCustomer(): DrillWrite {
    const body = { email: `${this.#nextName()}@example.test`, name: `${this.#choose(fragments)} Ltd` };
    return { ...customerContent(body), path: "/customers", body };
  }

  #writeInvoice(customerId: string): DrillWrite {
    const count = this.#options.isLarge ? longLineCount : this.#chooseInteger(1, 5);
    const lines = Array.from({ length: count }, () => this.#writeLine());
    const totalCents = lines.reduce((sum, { quantity, unitCents }) => sum + quantity * unitCents, 0);
    const body = { customerId, reference: this.#nextName(), currency: this.#choose(currencies), lines };
    return { ...invoiceContent({ ...body, totalCents }), path: "/invoices", body };
  }

  #writeLine(): InvoiceLine {
    const { random, isLarge } = this.#options;
    const text = this.#choose(fragments);
    const description = isLarge ? `${text} ${random()} `.padEnd(longLineLength, "long ") : text;
    return { description, quantity: this.#chooseInteger(1, 12), unitCents: this.#chooseInteger(0, 1_000_000) };
  }

  #nextName(): string {
    return `${this.#options.name}-${this.#count}`;
  }

  #choose(from: readonly string[]): string {
    return from[Math.floor(this.#options.random() * from.length)] ?? "";
  }

  #chooseInteger(least: number, most: number): number {
    return least + Math.floor(this.#options.random() * (most - least + 1));
  }
}

function payInvoice({ id, reference }: { id: string; reference: string }): DrillWrite {
  return { ...paymentContent(reference), path: `/invoices/${id}/payment` };
}
