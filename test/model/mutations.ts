import { type BootFacts, type BootPlan, decideBoot } from "../../app/boot/decide-boot.ts";
import { newestOf } from "../../app/replica/chain.ts";
import type { Content } from "../../app/replica/claim.ts";
import { runOf } from "../../app/replica/head.ts";
import type { Rules, StepError } from "./turn.ts";

type Mutant = Pick<Rules, "decide" | "stepError">;

/** The real thing. */
export const sound: Mutant = { decide: decideBoot, stepError: null };

/** Deliberate errors. Each must break an invariant, or the model is blind to it. */
export const mutations = {
  "no-head-check": stepMutant("no-head-check"),
  "sync-in-flight": stepMutant("sync-in-flight"),
  "restore-first": stepMutant("restore-first"),
  staged: stepMutant("staged"),
  "keep-clean": stepMutant("keep-clean"),
  "no-reread": stepMutant("no-reread"),
  "new-base-no-parent": stepMutant("new-base-no-parent"),
  "new-base-old-mark": stepMutant("new-base-old-mark"),
  "clone-shares-id": stepMutant("clone-shares-id"),
  "no-former-name": factsMutant(forgetFormerName),
  "no-former-head": factsMutant(takeFormerHeadForOthers),
  "fall-back": factsMutant(fallBackFromLiving),
  renonce: factsMutant(renewNonceWhenLiving),
  "resume-power": factsMutant(ignoreBootId),
  "no-runs": factsMutant(ignoreRuns),
  "resume-behind": factsMutant(ignoreStaged),
  "trust-clean-stop": factsMutant((facts) => trustCleanStop(ignoreRuns(facts))),
  "kept-prefix": factsMutant(resumeOthersEpoch),
  "no-replaces": factsMutant(forgetReplaced),
  "replaces-last": planMutant(replaceOnlyLast),
  content: planMutant(adoptByContent),
  "restore-newest": factsMutant(forgetAskedState),
  "restore-again": factsMutant(renewOrder),
  "row-5-fresh": planMutant(startFreshIn(5)),
  "row-6-fresh": planMutant(startFreshIn(6)),
  "row-9-fresh": planMutant(startFreshIn(9)),
  "row-8-drop-volume": planMutant(swapContent(8, "volume", "fresh")),
  "row-10-drop-volume": planMutant(swapContent(10, "volume", "restore")),
  "row-10-no-compare": planMutant(swapContent(10, "compare", "restore")),
  "row-10-trust-volume": planMutant(swapContent(10, "compare", "volume")),
  "row-11-no-compare": planMutant(swapContent(11, "compare", "restore")),
  "row-11-trust-volume": planMutant(swapContent(11, "compare", "volume")),
} as const satisfies Record<string, Mutant>;

export type Mutation = keyof typeof mutations;

function stepMutant(stepError: StepError): Mutant {
  return { decide: decideBoot, stepError };
}

function factsMutant(alter: (facts: BootFacts) => BootFacts): Mutant {
  return { decide: (facts) => decideBoot(alter(facts)), stepError: null };
}

function planMutant(alter: (plan: BootPlan, facts: BootFacts) => BootPlan): Mutant {
  return { decide: (facts) => alter(decideBoot(facts), facts), stepError: null };
}

/** A living head whose replica cannot be restored falls back to its parent, as only an opening one may. */
function fallBackFromLiving(facts: BootFacts): BootFacts {
  if (facts.head === null || facts.chain.state === "whole") return facts;
  return { ...facts, head: { ...facts.head, state: "opening" }, chain: { state: "empty" } };
}

/** Head gets a new nonce when it becomes living, so the mark no longer carries it. */
function renewNonceWhenLiving(facts: BootFacts): BootFacts {
  if (facts.head?.state !== "living") return facts;
  return { ...facts, head: { ...facts.head, nonce: `renewed ${facts.head.nonce}` } };
}

/** A machine that learns its provider's id knows its mark and head no more. */
function forgetFormerName(facts: BootFacts): BootFacts {
  const { formerMachine, ...others } = facts;
  return formerMachine === undefined ? facts : others;
}

/** It knows its mark, and takes head under the former name for somebody else's. */
function takeFormerHeadForOthers(facts: BootFacts): BootFacts {
  const { head, formerMachine } = facts;
  if (head === null || formerMachine === undefined || head.machine !== formerMachine) return facts;
  return { ...facts, head: { ...head, machine: `not ${formerMachine}` } };
}

/** A power loss is taken for a process crash. */
function ignoreBootId(facts: BootFacts): BootFacts {
  return facts.mark === null ? facts : { ...facts, mark: { ...facts.mark, bootId: facts.bootId } };
}

/** A later resume of the epoch does not matter. */
function ignoreRuns(facts: BootFacts): BootFacts {
  const { head, mark } = facts;
  if (head === null || mark === null) return facts;
  const { run: _head, ...headOfAnyRun } = head;
  const { runs: _mark, ...markOfAnyRun } = mark;
  return { ...facts, head: headOfAnyRun, mark: markOfAnyRun };
}

/** The disk's staged files are not compared with the bucket. */
function ignoreStaged(facts: BootFacts): BootFacts {
  return { ...facts, stagedTxid: newestOf(facts.chain) };
}

/** A clean stop is believed, whatever the bucket holds. With the runs in place no schedule shows it: two guards. */
function trustCleanStop(facts: BootFacts): BootFacts {
  const txid = newestOf(facts.chain);
  if (facts.mark?.cleanStop == null || txid === null) return facts;
  return { ...facts, mark: { ...facts.mark, cleanStop: { txid } } };
}

/** A kept volume goes on with the epoch of the machine that it came from. */
function resumeOthersEpoch(facts: BootFacts): BootFacts {
  const { head, mark } = facts;
  if (head === null || mark?.nonce !== head.nonce || head.machine === facts.machine) return facts;
  return { ...facts, head: { ...head, machine: facts.machine }, mark: { ...mark, bootId: facts.bootId } };
}

/** The `replaces` of head is ignored. */
function forgetReplaced(facts: BootFacts): BootFacts {
  return facts.head === null ? facts : { ...facts, head: { ...facts.head, replaces: [] } };
}

/** A claim that is repeated after a crash restores the newest state instead of the one that was asked for. */
function forgetAskedState(facts: BootFacts): BootFacts {
  if (facts.head?.state !== "opening" || facts.head.parent?.txid === undefined) return facts;
  const { txid: _forgotten, ...parent } = facts.head.parent;
  return { ...facts, head: { ...facts.head, parent } };
}

/** An order counts after any clean stop, not only after its own. */
function renewOrder(facts: BootFacts): BootFacts {
  const { order, head, mark } = facts;
  if (order === null || head === null || mark?.cleanStop == null) return facts;
  return { ...facts, order: { ...order, nonce: head.nonce, run: runOf(head), stoppedAt: mark.cleanStop.txid } };
}

/** Rows 8 and 10 name only the opening that they replace, not those that it had replaced itself. */
function replaceOnlyLast(plan: BootPlan): BootPlan {
  return plan.act === "claim" ? { ...plan, replaces: plan.replaces.slice(-1) } : plan;
}

/** Any database on the volume is taken for one of head's epoch, whatever its mark says. */
function adoptByContent(plan: BootPlan, facts: BootFacts): BootPlan {
  if (plan.act !== "claim" || facts.database === "absent" || plan.content === "volume") return plan;
  return { ...plan, content: plan.parent === null ? "volume" : "compare" };
}

/** A row that refuses guesses "empty" instead. */
function startFreshIn(row: number): (plan: BootPlan) => BootPlan {
  return (plan) =>
    plan.act === "refuse" && plan.row === row
      ? { act: "claim", row, parent: null, content: "fresh", replaces: [] }
      : plan;
}

function swapContent(row: number, right: Content, wrong: Content): (plan: BootPlan) => BootPlan {
  return (plan) =>
    plan.act === "claim" && plan.row === row && plan.content === right ? { ...plan, content: wrong } : plan;
}
