import type { DrillAuthor, DrillAuthorOptions, DrillWrite } from "../../app/drill-subject.ts";
import { product } from "../../app/service/product.ts";
import { type Fact, toFact } from "./facts.ts";

/** One write to send. With a `key` it can be repeated safely. */
export type Write = Readonly<{ fact: Fact; made: DrillWrite; key: string | null }>;

/** `keyed`: send an Idempotency-Key with every write. */
export type AuthorOptions = DrillAuthorOptions & Readonly<{ keyed: boolean }>;

/** Somebody who writes what the product's author makes up. */
export class Author {
  readonly #options: AuthorOptions;
  readonly #author: DrillAuthor;
  #count = 0;

  constructor(options: AuthorOptions) {
    this.#options = options;
    this.#author = product.drill.startAuthor(options);
  }

  next(): Write {
    this.#count += 1;
    const made = this.#author.next();
    const key = this.#options.keyed ? `drill-${this.#options.name}-${this.#count}` : null;
    return { fact: toFact(made), made, key };
  }

  /** Call it for every acknowledged write, so that later writes can refer to it. */
  learn({ made }: Write, id: string): void {
    this.#author.learn?.(made, id);
  }
}
