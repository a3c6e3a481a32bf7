import { expect, test } from "vitest";

import { Author, type Write } from "../../../scripts/drill/author.ts";
import { seedRandom } from "../../../scripts/drill/random.ts";

function write(seed: number): Write[] {
  const author = new Author({ name: "a", random: seedRandom(seed), keyed: true });
  return Array.from({ length: 200 }, (_, id) => {
    const next = author.next();
    author.learn(next, `id-${id}`);
    return next;
  });
}

test("the same seed writes the same, another seed something else", () => {
  expect(write(7)).toEqual(write(7));
  expect(write(7)).not.toEqual(write(8));
});

test("an author writes customers, invoices and payments, each under a name of its own", () => {
  const writes = write(7);
  expect(new Set(writes.map(({ fact }) => fact.kind))).toEqual(new Set(["customer", "invoice", "payment"]));
  expect(new Set(writes.map(({ fact }) => `${fact.kind} ${fact.key}`)).size).toBe(writes.length);
  expect(new Set(writes.map(({ key }) => key)).size).toBe(writes.length);
});
