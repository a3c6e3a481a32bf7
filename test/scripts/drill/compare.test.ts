import { expect, test } from "vitest";

import { compareContent } from "../../../scripts/drill/compare.ts";
import { type Durability, type FoundFact, toFact } from "../../../scripts/drill/facts.ts";
import { type Entry, Ledger } from "../../../scripts/drill/ledger.ts";

function fact(key: string, name = "Ada"): FoundFact {
  return { ...toFact({ kind: "customer", key, content: name }), id: `id of ${key}` };
}

function acknowledged(ledger: Ledger, key: string, reached: Durability): Entry {
  const entry = ledger.open(fact(key));
  ledger.acknowledge(entry, { reached, id: `id of ${key}` });
  return entry;
}

const clean = { lost: { commit: 0, disk: 0, bucket: 0 }, differing: 0, duplicated: 0, unexpected: 0, examples: [] };

test("a database that holds exactly what was acknowledged is clean", () => {
  const ledger = new Ledger();
  acknowledged(ledger, "a", "bucket");
  acknowledged(ledger, "b", "commit");
  expect(compareContent(ledger, [fact("a"), fact("b")])).toMatchObject({
    ...clean,
    rows: 2,
    oldestLostCommitAtMs: null,
  });
});

test("a write that was cut off may be there or not", () => {
  const ledger = new Ledger();
  ledger.cutOff(ledger.open(fact("there")));
  ledger.cutOff(ledger.open(fact("not there")));
  expect(compareContent(ledger, [fact("there")])).toMatchObject(clean);
});

test.each(["commit", "disk", "bucket"] as const)("a row acknowledged at %s that is missing is lost", (reached) => {
  const ledger = new Ledger();
  acknowledged(ledger, "a", reached);
  expect(compareContent(ledger, []).lost).toEqual({ commit: 0, disk: 0, bucket: 0, [reached]: 1 });
});

test("the oldest lost commit write is found, whatever the order", () => {
  const ledger = new Ledger();
  acknowledged(ledger, "a", "commit").acknowledgedAtMs = 30;
  acknowledged(ledger, "b", "commit").acknowledgedAtMs = 10;
  acknowledged(ledger, "c", "commit").acknowledgedAtMs = 20;
  expect(compareContent(ledger, [fact("b")]).oldestLostCommitAtMs).toBe(20);
});

test("a row with other content differs, also when its writer was cut off", () => {
  const ledger = new Ledger();
  acknowledged(ledger, "a", "commit");
  ledger.cutOff(ledger.open(fact("b")));
  expect(compareContent(ledger, [fact("a", "Eve"), fact("b", "Eve")]).differing).toBe(2);
});

test("a row with another id than the one acknowledged differs", () => {
  const ledger = new Ledger();
  acknowledged(ledger, "a", "commit");
  expect(compareContent(ledger, [{ ...fact("a"), id: "another" }]).differing).toBe(1);
});

test("the same row twice is duplicated", () => {
  const ledger = new Ledger();
  acknowledged(ledger, "a", "commit");
  expect(compareContent(ledger, [fact("a"), fact("a")]).duplicated).toBe(1);
});

test("a row that nobody wrote is unexpected", () => {
  const comparison = compareContent(new Ledger(), [fact("a")]);
  expect(comparison.unexpected).toBe(1);
  expect(comparison.examples).toEqual(["customer a was written by nobody"]);
});

test("a row whose write was refused is unexpected", () => {
  const ledger = new Ledger();
  ledger.refuse(ledger.open(fact("a")));
  expect(compareContent(ledger, [fact("a")]).unexpected).toBe(1);
});

test("a row that was lost in a disaster must not come back", () => {
  const ledger = new Ledger();
  acknowledged(ledger, "a", "commit");
  ledger.settle(compareContent(ledger, []).found);
  expect(compareContent(ledger, []).lost).toEqual(clean.lost);
  expect(compareContent(ledger, [fact("a")]).unexpected).toBe(1);
});

test("a row that came back from the bucket must be there for good", () => {
  const ledger = new Ledger();
  acknowledged(ledger, "a", "commit");
  ledger.settle(compareContent(ledger, [fact("a")]).found);
  expect(compareContent(ledger, []).lost.bucket).toBe(1);
});
