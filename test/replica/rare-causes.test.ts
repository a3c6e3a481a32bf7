import { expect, test } from "vitest";

import { RareCauses } from "../../app/replica/rare-causes.ts";

test("two alternating causes are reported once a minute each", () => {
  let nowMs = 0;
  const causes = new RareCauses(() => nowMs);
  const told: string[] = [];
  for (; nowMs < 180_000; nowMs += 250) {
    const cause = nowMs % 500 === 0 ? "the store is away" : "no answer in 15000 ms";
    if (causes.isNews(cause)) told.push(cause);
  }
  expect(told).toHaveLength(6);
});

test("however many causes there are, few are remembered", () => {
  const causes = new RareCauses(() => 0);
  const told = Array.from({ length: 1_000 }, (_, index) => causes.isNews(`cause ${index}`));
  expect(told.every(Boolean)).toBe(true);
  expect(causes.isNews("cause 999")).toBe(false);
});
