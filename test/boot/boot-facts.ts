import type { BootFacts } from "../../app/boot/decide-boot.ts";
import type { Chain } from "../../app/replica/chain.ts";
import type { Head } from "../../app/replica/head.ts";
import type { Mark } from "../../app/replica/mark.ts";
import type { RestoreOrder } from "../../app/replica/restore-order.ts";

const me = "machine-a";
export const other = "machine-b";
const thisBoot = "boot-now";

const parent = { epoch: "0001-aaaaaaaa", nonce: "nonce-of-the-parent" };

export const whole: Chain = { state: "whole", newestTxid: "0000000000000005", files: 2 };
export const noBase: Chain = { state: "no-base", missing: "the base", newestTxid: "0000000000000005" };
export const broken: Chain = { state: "broken", missing: "a file in the middle", newestTxid: "0000000000000005" };
const chains: readonly Chain[] = [{ state: "empty" }, noBase, broken, whole];

/** A head of this machine, living, with a parent. */
export function makeHead(change: Partial<Head> = {}): Head {
  return {
    epoch: "0002-bbbbbbbb",
    state: "living",
    nonce: "nonce-of-the-head",
    machine: me,
    openedAt: "",
    parent,
    replaces: [],
    ...change,
  };
}

/** The mark that this machine wrote in its present boot, under the head that makeHead makes. */
export function makeMark(change: Partial<Mark> = {}): Mark {
  return {
    epoch: "0002-bbbbbbbb",
    nonce: "nonce-of-the-head",
    machine: me,
    bootId: thisBoot,
    cleanStop: null,
    ...change,
  };
}

/** What somebody asked for after the clean stop at TXID 5 of the head that makeHead makes. */
export function makeOrder(change: Partial<RestoreOrder> = {}): RestoreOrder {
  return {
    nonce: "nonce-of-the-head",
    run: "nonce-of-the-head",
    stoppedAt: "0000000000000005",
    epoch: "0002-bbbbbbbb",
    txid: "0000000000000003",
    ...change,
  };
}

/** A machine whose process has just crashed, with everything still in place. */
export function makeFacts(change: Partial<BootFacts> = {}): BootFacts {
  return {
    machine: me,
    bootId: thisBoot,
    head: makeHead(),
    epochsExist: true,
    chain: whole,
    parentChain: whole,
    order: null,
    incomingBytes: 0,
    orderChain: { state: "empty" },
    database: "present",
    mark: makeMark(),
    stagedTxid: "0000000000000005",
    position: null,
    ...change,
  };
}

const ordered: Chain = { state: "whole", newestTxid: "0000000000000003", files: 1 };
const orders: readonly Pick<BootFacts, "order" | "orderChain" | "incomingBytes">[] = [
  { order: null, incomingBytes: 0, orderChain: { state: "empty" } },
  { order: makeOrder(), incomingBytes: 0, orderChain: ordered },
  { order: makeOrder({ incomingBytes: 4096 }), incomingBytes: 4096, orderChain: ordered },
  { order: makeOrder({ stoppedAt: "0000000000000004" }), incomingBytes: 0, orderChain: ordered },
];

/** Every combination of the facts that the table reads: about 750,000. */
export function* everyFacts(): Generator<BootFacts> {
  for (const head of everyHead())
    for (const mark of everyMark())
      for (const chain of chains)
        for (const parentChain of chains)
          for (const database of ["absent", "present", "foreign"] as const)
            for (const epochsExist of [true, false])
              for (const stagedTxid of [null, "0000000000000004", "0000000000000005"]) {
                const store = { head, epochsExist, chain, parentChain };
                const own = { machine: me, bootId: thisBoot, database, mark, stagedTxid, position: null };
                // An order stands in for the replica that the other rows look at.
                const wanted = chain === whole && parentChain === whole ? orders : orders.slice(0, 1);
                for (const order of wanted) yield { ...store, ...own, ...order };
              }
}

function* everyHead(): Generator<Head | null> {
  yield null;
  for (const state of ["opening", "living"] as const)
    for (const machine of [me, other])
      for (const headParent of [null, parent])
        for (const replaces of [[], ["nonce-that-was-replaced"]])
          yield makeHead({ state, machine, parent: headParent, replaces });
}

function* everyMark(): Generator<Mark | null> {
  yield null;
  for (const nonce of ["nonce-of-the-head", parent.nonce, "nonce-that-was-replaced", "nonce-of-nobody"])
    for (const machine of [me, other])
      for (const bootId of [thisBoot, "boot-before"])
        for (const cleanStop of [null, { txid: "0000000000000005" }])
          for (const runs of [["nonce-of-the-head"], ["run-of-before"]])
            yield makeMark({ nonce, machine, runs, bootId, cleanStop });
}
