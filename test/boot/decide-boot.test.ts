import { expect, test } from "vitest";

import { decideBoot, type BootFacts, type BootPlan } from "../../app/boot/decide-boot.ts";
import { broken, makeFacts, makeHead, makeMark, makeOrder, noBase, other, whole } from "./boot-facts.ts";

type Case = [claim: string, facts: BootFacts, plan: Partial<BootPlan>];

const headOfOther = makeHead({ machine: other });
const opening = makeHead({ state: "opening", replaces: ["nonce-that-was-replaced"] });
const openingFirst = makeHead({ state: "opening", parent: null });
const openingOfOther = makeHead({ state: "opening", machine: other });
const empty = { state: "empty" } as const;
const parentOfHead = { epoch: "0002-bbbbbbbb", nonce: "nonce-of-the-head", run: "nonce-of-the-head" };
const sameParent = { epoch: "0001-aaaaaaaa", nonce: "nonce-of-the-parent" };
const laterBoot = makeMark({ bootId: "boot-before" });
const stoppedBefore = makeMark({ bootId: "boot-before", cleanStop: { txid: "0000000000000005" } });
const nothing = { head: null, epochsExist: false, chain: empty, parentChain: empty } as const;
const renamed = { machine: "4711", formerMachine: "machine-a" };
const replaced = ["nonce-that-was-replaced", "nonce-of-the-head"];
const orderChain = { state: "whole", newestTxid: "0000000000000003", files: 1 } as const;
const ordered = { order: makeOrder(), orderChain, mark: stoppedBefore };
const earlier = { epoch: "0002-bbbbbbbb", nonce: "", txid: "0000000000000003" };

const cases: Case[] = [
  [
    "12: an earlier state was asked for after this stop",
    makeFacts(ordered),
    { act: "claim", content: "restore", parent: earlier, replaces: [] },
  ],
  [
    "12: a database was brought here, for this stop",
    makeFacts({ ...ordered, order: makeOrder({ incomingBytes: 4096 }), incomingBytes: 4096 }),
    { act: "claim", content: "import", parent: earlier },
  ],
  [
    "3 not 12: the database that was brought here is gone, or another one",
    makeFacts({ ...ordered, order: makeOrder({ incomingBytes: 4096 }), incomingBytes: 8192 }),
    { row: 3 },
  ],
  ["3 not 12: the app ran again since", makeFacts({ ...ordered, mark: makeMark() }), { row: 3 }],
  [
    "3 not 12: the order is of an earlier stop",
    makeFacts({ ...ordered, order: makeOrder({ stoppedAt: "0000000000000004" }) }),
    { row: 3 },
  ],
  [
    "3 not 12: the order is of an earlier run",
    makeFacts({ ...ordered, order: makeOrder({ run: "run-before" }) }),
    { row: 3 },
  ],
  ["3 not 12: the files of that state are gone", makeFacts({ ...ordered, orderChain: broken }), { row: 3 }],
  [
    "3 not 12: no file ends at that state any more",
    makeFacts({ ...ordered, orderChain: { ...orderChain, newestTxid: "0000000000000002" } }),
    { row: 3 },
  ],
  ["4 not 12: another machine has taken over", makeFacts({ ...ordered, head: headOfOther }), { row: 4 }],
  [
    "10: a crash after the claim goes on with the state that was asked for, whatever the volume holds",
    makeFacts({
      head: makeHead({ state: "opening", parent: earlier }),
      chain: empty,
      parentChain: orderChain,
      mark: makeMark({ nonce: "nonce-of-the-parent", cleanStop: { txid: "0000000000000005" } }),
    }),
    { act: "claim", content: "restore", parent: earlier },
  ],
  ["3: a process crash resumes", makeFacts(), { act: "resume" }],
  ["3: a reboot after a clean stop resumes", makeFacts({ mark: stoppedBefore }), { act: "resume" }],
  ["3: a crash while opening resumes", makeFacts({ head: opening, chain: empty }), { act: "resume" }],
  ["3: a damaged replica does not stop the machine that has it all", makeFacts({ chain: broken }), { act: "resume" }],
  ["3: the same, stopped before", makeFacts({ mark: stoppedBefore, chain: broken }), { act: "resume" }],
  [
    "3: taken up by this disk, or about to be",
    makeFacts({ head: makeHead({ run: "run-of-now" }), mark: makeMark({ runs: ["run-before", "run-of-now"] }) }),
    { act: "resume" },
  ],
  [
    "11 not 3: the bucket has come further than the clean stop",
    makeFacts({ mark: makeMark({ bootId: "boot-before", cleanStop: { txid: "0000000000000004" } }) }),
    { row: 11, content: "compare" },
  ],
  [
    "11 not 3: nor in the same start of the system",
    makeFacts({ mark: makeMark({ cleanStop: { txid: "0000000000000004" } }) }),
    { row: 11, content: "compare" },
  ],
  [
    "11 not 3: the database is not the one that was stopped",
    makeFacts({
      mark: makeMark({ cleanStop: { txid: "0000000000000005", position: { sequence: 7, token: "t" } } }),
      position: { sequence: 6, token: "s" },
    }),
    { row: 11, content: "compare" },
  ],
  [
    "11 not 3: a running machine's disk was put back",
    makeFacts({ stagedTxid: "0000000000000004" }),
    { row: 11, content: "compare" },
  ],
  ["11 not 3: Litestream's own files are gone", makeFacts({ stagedTxid: null }), { row: 11, content: "compare" }],
  ["3: a machine that learns its provider's id goes on where it was", makeFacts({ ...renamed }), { act: "resume" }],
  [
    "3: also when the crash came between the mark and head",
    makeFacts({ ...renamed, mark: makeMark({ machine: renamed.machine }) }),
    { act: "resume" },
  ],
  [
    "4: nor does it take over when it was replaced before it learned that",
    makeFacts({ ...renamed, head: headOfOther, mark: stoppedBefore }),
    { row: 4 },
  ],
  [
    "11: a server made from its image is another machine",
    makeFacts({
      machine: "4712",
      formerMachine: "id-on-the-disk",
      head: headOfOther,
      mark: makeMark({ machine: other }),
    }),
    { row: 11, content: "compare" },
  ],
  [
    "11 not 3: a later start, or a clone, took the epoch up",
    makeFacts({ head: makeHead({ run: "run-of-now" }), mark: stoppedBefore }),
    { row: 11, content: "restore" },
  ],
  ["7 not 3: not one file of the living epoch is left", makeFacts({ chain: empty }), { act: "refuse", row: 7 }],
  [
    "5: somebody's database beside an empty bucket",
    makeFacts({ ...nothing, database: "foreign", mark: null }),
    { act: "refuse", row: 5 },
  ],
  [
    "8: somebody's database beside an opening without a base",
    makeFacts({ head: openingFirst, chain: empty, database: "foreign", mark: null }),
    { act: "refuse", row: 8 },
  ],
  ["11 not 3: a power loss", makeFacts({ mark: laterBoot }), { row: 11, content: "compare" }],
  ["11 not 3: the database is gone", makeFacts({ database: "absent" }), { row: 11, content: "restore" }],
  ["11 not 3: there is no mark", makeFacts({ mark: null }), { row: 11, content: "restore" }],
  [
    "11 not 3: the mark is of another life",
    makeFacts({ mark: makeMark({ nonce: "nonce-of-nobody" }) }),
    { row: 11, content: "restore" },
  ],
  ["4: another machine has taken over", makeFacts({ head: headOfOther }), { act: "refuse", row: 4 }],
  [
    "4: even when the database is gone",
    makeFacts({ head: headOfOther, database: "absent" }),
    { act: "refuse", row: 4 },
  ],
  [
    "11 not 4: a volume that another machine left",
    makeFacts({ head: headOfOther, mark: makeMark({ machine: other }) }),
    { row: 11, content: "compare" },
  ],
  [
    "11 not 4: an empty machine",
    makeFacts({ head: headOfOther, mark: null, database: "absent" }),
    { row: 11, content: "restore", parent: parentOfHead },
  ],
  [
    "5: nothing anywhere",
    makeFacts({ ...nothing, mark: null, database: "absent" }),
    { act: "claim", row: 5, content: "fresh", parent: null, replaces: [] },
  ],
  [
    "5: a database without a mark is nobody's last copy",
    makeFacts({ ...nothing, mark: null }),
    { act: "claim", row: 5, content: "fresh" },
  ],
  [
    "5: a mark without a database is nothing",
    makeFacts({ ...nothing, database: "absent" }),
    { act: "claim", row: 5, content: "fresh" },
  ],
  ["5: a marked database may be the last copy", makeFacts(nothing), { act: "refuse", row: 5 }],
  [
    "6: epochs without a head",
    makeFacts({ ...nothing, epochsExist: true, mark: null, database: "absent" }),
    { act: "refuse", row: 6 },
  ],
  ["7: a living head without a base", makeFacts({ mark: null, chain: noBase }), { act: "refuse", row: 7 }],
  ["7: a living head without any file", makeFacts({ mark: null, chain: empty }), { act: "refuse", row: 7 }],
  ["7: a living head with a gap", makeFacts({ mark: null, chain: broken }), { act: "refuse", row: 7 }],
  ["7: an opening head with a gap", makeFacts({ head: opening, mark: null, chain: broken }), { act: "refuse", row: 7 }],
  [
    "8: the first epoch never got a base",
    makeFacts({ head: openingFirst, mark: null, chain: empty }),
    { act: "claim", row: 8, content: "fresh", parent: null, replaces: ["nonce-of-the-head"] },
  ],
  [
    "8: its own volume has it",
    makeFacts({ head: openingFirst, mark: laterBoot, chain: noBase }),
    { act: "claim", row: 8, content: "volume" },
  ],
  [
    "8: a volume of another life has not",
    makeFacts({ head: openingFirst, mark: makeMark({ nonce: "nonce-of-nobody" }), chain: noBase }),
    { act: "claim", row: 8, content: "fresh" },
  ],
  [
    "9: neither the epoch nor its parent has a base",
    makeFacts({ head: opening, mark: null, chain: empty, parentChain: noBase }),
    { act: "refuse", row: 9 },
  ],
  [
    "9: the parent has a gap",
    makeFacts({ head: opening, mark: null, chain: empty, parentChain: broken }),
    { act: "refuse", row: 9 },
  ],
  [
    "10 not 9: the volume is of that epoch",
    makeFacts({ head: opening, mark: laterBoot, chain: empty, parentChain: empty }),
    { act: "claim", row: 10, content: "volume", parent: sameParent },
  ],
  [
    "10: restores the same parent",
    makeFacts({ head: opening, mark: null, chain: empty }),
    { act: "claim", row: 10, content: "restore", parent: sameParent, replaces: replaced },
  ],
  [
    "10: a volume of a replaced opening is of that epoch",
    makeFacts({ head: opening, mark: makeMark({ nonce: "nonce-that-was-replaced" }), chain: empty }),
    { act: "claim", row: 10, content: "volume", replaces: replaced },
  ],
  [
    "10: a volume of the parent is compared",
    makeFacts({ head: opening, mark: makeMark({ nonce: "nonce-of-the-parent" }), chain: empty }),
    { act: "claim", row: 10, content: "compare" },
  ],
  [
    "10: another machine's volume of that epoch counts too",
    makeFacts({ head: openingOfOther, mark: makeMark({ machine: other }), chain: empty }),
    { act: "claim", row: 10, content: "volume" },
  ],
  [
    "11: an opening head with a base is a parent",
    makeFacts({ head: opening, mark: null, chain: whole }),
    { act: "claim", row: 11, content: "restore", parent: parentOfHead, replaces: [] },
  ],
];

test.each(cases)("row %s", (_claim, facts, plan) => {
  expect(decideBoot(facts)).toMatchObject(plan);
});
