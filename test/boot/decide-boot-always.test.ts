import { expect, test } from "vitest";

import { BootRefused, decideBoot, type BootFacts, type BootPlan } from "../../app/boot/decide-boot.ts";
import { newestOf } from "../../app/replica/chain.ts";
import { everyFacts } from "./boot-facts.ts";

// Every combination of what the table looks at.
const plans = [...everyFacts()].map((facts) => ({ facts, plan: decideBoot(facts) }));
const claims = plans.flatMap(({ facts, plan }) => (plan.act === "claim" ? [{ facts, plan }] : []));

function expectAlways(isKept: (facts: BootFacts, plan: BootPlan) => boolean): void {
  expect(plans.find(({ facts, plan }) => !isKept(facts, plan))).toBeUndefined();
}

test("each row from 3 to 12 decides something", () => {
  expect([...new Set(plans.map(({ plan }) => plan.row))].toSorted((a, b) => a - b)).toEqual([
    3, 4, 5, 6, 7, 8, 9, 10, 11, 12,
  ]);
});

test("every refusal ends with the command that runs boot again", () => {
  const command = "(on the machine: systemctl restart lifeboat-bootstrap; by hand: docs/runbooks/by-hand.md)";
  expectAlways(
    (_facts: BootFacts, plan: BootPlan) =>
      plan.act !== "refuse" || new BootRefused(plan).refusal.next === `${plan.next}, then boot again ${command}`,
  );
});

test("only the machine that head names, with the database that head's claim marked, resumes", () => {
  expectAlways(
    ({ head, machine, mark, database, bootId }: BootFacts, plan: BootPlan) =>
      plan.act !== "resume" ||
      (head?.machine === machine &&
        mark?.nonce === head.nonce &&
        database === "present" &&
        (mark.cleanStop !== null || mark.bootId === bootId)),
  );
});

test("nothing is resumed when the bucket is ahead of the disk, or another run has resumed the epoch", () => {
  expectAlways(
    ({ head, mark, chain, stagedTxid }: BootFacts, plan: BootPlan) =>
      plan.act !== "resume" ||
      ((mark?.runs ?? []).includes(head?.run ?? head?.nonce ?? "") &&
        (newestOf(chain) === null
          ? head?.state === "opening"
          : mark?.cleanStop?.txid === newestOf(chain) || (stagedTxid ?? "") >= (newestOf(chain) ?? ""))),
  );
});

test("a machine that was superseded neither resumes nor claims", () => {
  expectAlways(
    ({ head, machine, mark }: BootFacts, plan: BootPlan) =>
      head === null ||
      head.machine === machine ||
      mark?.machine !== machine ||
      (plan.act === "refuse" && plan.row === 4),
  );
});

test("nothing starts empty unless the bucket is empty, or no base was ever uploaded", () => {
  expectAlways(
    ({ head, epochsExist, chain }: BootFacts, plan: BootPlan) =>
      plan.act !== "claim" ||
      plan.content !== "fresh" ||
      (head === null && !epochsExist) ||
      (head?.state === "opening" && head.parent === null && (chain.state === "empty" || chain.state === "no-base")),
  );
});

test("what is restored is whole, and is the epoch that the claim names as its parent", () => {
  const wrong = claims.find(({ facts: { head, chain, parentChain, order }, plan: { content, parent, row } }) => {
    if (content !== "restore" && content !== "compare") return false;
    if (row === 12) return parent?.epoch !== order?.epoch || parent?.txid !== order?.txid;
    const source = row === 11 ? chain : parentChain;
    return source.state !== "whole" || parent?.nonce !== (row === 11 ? head?.nonce : head?.parent?.nonce);
  });
  expect(wrong).toBeUndefined();
});

test("an earlier state is restored only right after the clean stop for which it was ordered", () => {
  expectAlways(
    ({ head, machine, mark, order }: BootFacts, plan: BootPlan) =>
      plan.row !== 12 ||
      (head?.state === "living" &&
        head.machine === machine &&
        head.nonce === order?.nonce &&
        mark?.nonce === head.nonce &&
        mark.cleanStop?.txid === order.stoppedAt),
  );
});

test("a volume's database is used or compared by its nonce only", () => {
  const wrong = claims.find(({ facts: { head, mark, database }, plan: { content } }) => {
    if (content !== "volume" && content !== "compare") return false;
    const known = head === null ? [] : [head.nonce, ...head.replaces, head.parent?.nonce];
    return database === "absent" || mark === null || !known.includes(mark.nonce);
  });
  expect(wrong).toBeUndefined();
});

test("a claim over an opening without a base carries on what that opening replaced, and no other claim does", () => {
  const wrong = claims.find(({ facts: { head }, plan: { row, replaces } }) => {
    const expected = row === 8 || row === 10 ? [...(head?.replaces ?? []), head?.nonce] : [];
    return JSON.stringify(replaces) !== JSON.stringify(expected);
  });
  expect(wrong).toBeUndefined();
});

test("a refusal names its cause and what to do next", () => {
  expectAlways(
    (_: BootFacts, plan: BootPlan) => plan.act !== "refuse" || (plan.cause.length > 20 && plan.next.length > 20),
  );
});
