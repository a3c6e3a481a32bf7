import { expect, test } from "vitest";

import { toFact } from "../../../scripts/drill/facts.ts";
import { Ledger } from "../../../scripts/drill/ledger.ts";

const fact = toFact({ kind: "customer", key: "a@example.test", content: "Ada" });

test("a promise grows and never shrinks", () => {
  const ledger = new Ledger();
  const entry = ledger.open(fact);
  ledger.acknowledge(entry, { reached: "disk", id: "1" });
  ledger.acknowledge(entry, { reached: "commit", id: "1" });
  ledger.refuse(entry);
  ledger.cutOff(entry);
  expect(ledger.count().acknowledged).toEqual({ commit: 0, disk: 1, bucket: 0 });
  ledger.acknowledge(entry, { reached: "bucket", id: "1" });
  expect(ledger.count().acknowledged).toEqual({ commit: 0, disk: 0, bucket: 1 });
});

test("a refused repetition leaves a write that was cut off unknown", () => {
  const ledger = new Ledger();
  const entry = ledger.open(fact);
  ledger.cutOff(entry);
  ledger.refuse(entry);
  expect(ledger.count()).toMatchObject({ refused: 0, unknown: 1 });
});

test("the same write acknowledged with two ids is an error", () => {
  const ledger = new Ledger();
  const entry = ledger.open(fact);
  ledger.acknowledge(entry, { reached: "disk", id: "1" });
  expect(() => ledger.acknowledge(entry, { reached: "bucket", id: "2" })).toThrow("acknowledged as 1");
});

test("a name cannot be written twice", () => {
  const ledger = new Ledger();
  ledger.open(fact);
  expect(() => ledger.open(fact)).toThrow("twice");
});
