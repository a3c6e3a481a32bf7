import type { BootFacts, BootPlan } from "../../app/boot/decide-boot.ts";
import type { Head as StoredHead, Parent } from "../../app/replica/head.ts";
import type { Mark as StoredMark } from "../../app/replica/mark.ts";
import type { RestoreOrder } from "../../app/replica/restore-order.ts";
import { chainOf, filesUpTo } from "./replica.ts";
import { type Claim, filesOf, type Head, machineName, type Mark, type Order } from "./state.ts";
import type { Turn } from "./turn.ts";

const thisBootId = "this boot";

/**
 * The facts that boot would give to `decideBoot`: head as it was read before, the bucket's listings and the volume as
 * they are now.
 */
export function gatherFacts(turn: Turn, seen: Head | null): BootFacts {
  const { state, machine } = turn;
  const parent = seen?.parent ?? null;
  const { order } = machine.volume;
  return {
    machine: machineName(machine.identity),
    ...(machine.former !== null && { formerMachine: machineName(machine.former) }),
    bootId: thisBootId,
    head: seen === null ? null : storedHead(seen),
    epochsExist: state.epochs.some((files) => files.length > 0),
    chain: seen === null ? { state: "empty" } : chainOf(filesOf(state, seen.epoch)),
    parentChain:
      parent === null ? { state: "empty" } : chainOf(filesUpTo(filesOf(state, parent), seen?.parentTxid ?? null)),
    order: order === null ? null : storedOrder(order),
    incomingBytes: order?.incoming?.length ?? 0,
    orderChain: order === null ? { state: "empty" } : chainOf(filesUpTo(filesOf(state, order.epoch), order.txid)),
    database: machine.volume.database === null ? "absent" : "present",
    mark: machine.volume.mark === null ? null : storedMark(machine.volume.mark),
    stagedTxid: machine.volume.staged.length === 0 ? null : String(machine.volume.staged.length),
    // The model puts disks back whole, so the database never stands elsewhere than its mark and staged files say.
    position: null,
  };
}

/**
 * The plan of a claim in the model's own numbers. A clean mark at the replica's newest TXID saves the comparison, as in
 * app/boot/install.ts.
 */
export function readClaim(plan: Extract<BootPlan, { act: "claim" }>, { chain, mark }: BootFacts): Claim {
  const parent = plan.parent === null ? null : Number(plan.parent.epoch);
  const cleanTxid = mark?.cleanStop?.txid;
  const isEqual = plan.content === "compare" && chain.state === "whole" && chain.newestTxid === cleanTxid;
  const parentRun = plan.parent?.run ?? null;
  const content = isEqual ? "volume" : plan.content;
  const parentTxid = plan.parent?.txid === undefined ? null : Number(plan.parent.txid);
  return { row: plan.row, parent, parentRun, parentTxid, content, replaces: plan.replaces.map(epochOf) };
}

function storedHead(head: Head): StoredHead {
  return {
    epoch: String(head.epoch),
    state: head.state,
    nonce: nonceOf(head.epoch),
    run: head.run,
    machine: machineName(head.machine),
    openedAt: "",
    parent: head.parent === null ? null : parentOf(head.parent, head),
    replaces: head.replaces.map(nonceOf),
  };
}

function storedMark(mark: Mark): StoredMark {
  return {
    epoch: String(mark.epoch),
    nonce: nonceOf(mark.epoch),
    runs: [...mark.runs],
    machine: machineName(mark.machine),
    bootId: mark.thisBoot ? thisBootId : "an earlier boot",
    cleanStop: mark.cleanTxid === null ? null : { txid: String(mark.cleanTxid) },
  };
}

function parentOf(epoch: number, { parentRun, parentTxid }: Head): Parent {
  if (parentTxid !== null) return { epoch: String(epoch), nonce: "", txid: String(parentTxid) };
  return { epoch: String(epoch), nonce: nonceOf(epoch), ...(parentRun === null ? {} : { run: parentRun }) };
}

function storedOrder({ of, run, stoppedAt, epoch, txid, incoming }: Order): RestoreOrder {
  const state = { epoch: String(epoch), txid: String(txid) };
  const order = { nonce: nonceOf(of), run, stoppedAt: String(stoppedAt), ...state };
  return incoming === null ? order : { ...order, incomingBytes: incoming.length };
}

function nonceOf(epoch: number): string {
  return `nonce ${epoch}`;
}

function epochOf(nonce: string): number {
  return Number(nonce.slice("nonce ".length));
}
