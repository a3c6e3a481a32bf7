import { type Fact, type LineContent, customerFact, invoiceFact, paymentFact } from "./content.ts";
import { type Random, chooseInteger, chooseOne } from "./random.ts";

/** One write, ready to be sent; `key` lets it be repeated safely. */
export type Write = Readonly<{ fact: Fact; path: string; body?: unknown; key: string | null }>;

export type AuthorOptions = Readonly<{
  /** Unique in the drill: every name that the author makes up begins with it. */
  name: string;
  random: Random;
  /** Send an Idempotency-Key with every write. */
  keyed: boolean;
  /** A fixed number of long lines for every invoice, to fill a database quickly; otherwise one to five short ones. */
  longLines?: number;
}>;

// What tends to get damaged on the way: quotes, SQL, other alphabets, composed and decomposed letters, emoji, spaces.
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
const longLineLength = 500;
const payableLimit = 50;

/** Makes up writes that are valid, and different from every other: customers, invoices of theirs, payments of those. */
export class Author {
  readonly #options: AuthorOptions;
  #count = 0;
  readonly #customerIds: string[] = [];
  readonly #payable: { id: string; reference: string }[] = [];

  constructor(options: AuthorOptions) {
    this.#options = options;
  }

  next(): Write {
    const { random } = this.#options;
    this.#count += 1;
    const customerId = this.#customerIds.at(-1);
    const choice = random();
    if (customerId === undefined || choice < 0.05) return this.#writeCustomer();
    const payable = choice < 0.2 && this.#options.longLines === undefined ? this.#payable.shift() : undefined;
    return payable ? this.#payInvoice(payable) : this.#writeInvoice(customerId);
  }

  /** To be told of every write that was acknowledged, so that later ones can build on it. */
  learn({ fact }: Write, id: string): void {
    if (fact.kind === "customer") this.#customerIds.push(id);
    if (fact.kind === "invoice" && this.#payable.length < payableLimit) this.#payable.push({ id, reference: fact.key });
  }

  #writeCustomer(): Write {
    const body = {
      email: `${this.#nextName()}@example.test`,
      name: `${chooseOne(this.#options.random, fragments)} Ltd`,
    };
    return { fact: customerFact(body), path: "/customers", body, key: this.#nextKey() };
  }

  #writeInvoice(customerId: string): Write {
    const { random, longLines } = this.#options;
    const lines = Array.from({ length: longLines ?? chooseInteger(random, 1, 5) }, () => this.#writeLine());
    const totalCents = lines.reduce((sum, { quantity, unitCents }) => sum + quantity * unitCents, 0);
    const body = { customerId, reference: this.#nextName(), currency: chooseOne(random, ["EUR", "USD", "CHF"]), lines };
    return { fact: invoiceFact({ ...body, totalCents }), path: "/invoices", body, key: this.#nextKey() };
  }

  #writeLine(): LineContent {
    const { random, longLines } = this.#options;
    const text = chooseOne(random, fragments);
    const description = longLines === undefined ? text : `${text} ${random()} `.padEnd(longLineLength, "long ");
    return { description, quantity: chooseInteger(random, 1, 12), unitCents: chooseInteger(random, 0, 1_000_000) };
  }

  #payInvoice({ id, reference }: { id: string; reference: string }): Write {
    return { fact: paymentFact(reference), path: `/invoices/${id}/payment`, key: this.#nextKey() };
  }

  #nextName(): string {
    return `${this.#options.name}-${this.#count}`;
  }

  #nextKey(): string | null {
    return this.#options.keyed ? `drill-${this.#nextName()}` : null;
  }
}
