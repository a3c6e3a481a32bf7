import type { CommitSequence } from "../database/commit-sequence.ts";
import { type Chain, newestOf } from "../replica/chain.ts";
import type { Claim } from "../replica/claim.ts";
import { type Head, type Parent, parentOf, runOf } from "../replica/head.ts";
import { type Mark, isStoppedAt, sawRun } from "../replica/mark.ts";
import type { RestoreOrder } from "../replica/restore-order.ts";

/** What boot knows once the store has answered and the sentinel was right. */
export type BootFacts = {
  machine: string;
  /** The name that older releases gave this machine and wrote into its mark and into head. */
  formerMachine?: string;
  bootId: string;
  head: Head | null;
  /** Whether there is any object under `epochs/`. */
  epochsExist: boolean;
  /** The replica of head's epoch; `empty` without a head. */
  chain: Chain;
  /**
   * The replica of the epoch that head names as its parent, up to the state that it names. Read only while head is
   * opening without a base, else `empty`.
   */
  parentChain: Chain;
  /** What the last stop left for this boot to restore. */
  order: RestoreOrder | null;
  /** The size of the file `incoming` on the disk; 0 when there is none. */
  incomingBytes: number;
  /** The replica of the epoch that the order names, up to its state. `empty` without an order for head. */
  orderChain: Chain;
  /** `foreign`: it holds data, and no mark says that it is ours. */
  database: "absent" | "present" | "foreign";
  mark: Mark | null;
  /** The newest TXID that Litestream has staged on this disk, 16 hex digits. */
  stagedTxid: string | null;
  /** Commit sequence of the volume's database. Null when it is not of head's epoch, or cannot be read. */
  position: CommitSequence | null;
};

/** The command that boots again. Without systemd there is no unit. */
const bootAgain =
  "boot again (on the machine: systemctl restart lifeboat-bootstrap; by hand: docs/runbooks/by-hand.md)";

/** `next` is what resolves it. BootRefused adds the command that boots again. */
export type Refusal = { act: "refuse"; row: number; cause: string; next: string };
export type BootPlan = Refusal | { act: "resume"; row: 3 } | Claim;

/**
 * The boot table of docs/decisions/0003, as a pure function: rows are tried in order. Rows 1 and 2, about the store
 * itself, are decided while the facts are gathered. The model in test/model checks the table: change both together.
 */
export function decideBoot(facts: BootFacts): BootPlan {
  const { head, mark } = facts;
  if (head === null) return decideWithoutHead(facts);
  const ordered = findOrdered(facts, head);
  if (ordered !== null) return { act: "claim", row: 12, ...ordered, replaces: [] };
  if (mayResume(facts, head)) return { act: "resume", row: 3 };
  if (mark !== null && isNameOf(facts, mark.machine) && !isNameOf(facts, head.machine)) return refuseSuperseded(head);
  if (head.state === "living" || facts.chain.state === "whole" || facts.chain.state === "broken") {
    return decideWithBase(facts, head);
  }
  return decideWithoutBase(facts, head);
}

function decideWithoutHead(facts: BootFacts): BootPlan {
  if (facts.epochsExist) {
    return {
      act: "refuse",
      row: 6,
      cause: "head.json is gone, but epochs exist in the bucket",
      next: "restore an older version of head.json in the bucket",
    };
  }
  if (facts.mark !== null && facts.database === "present") {
    return {
      act: "refuse",
      row: 5,
      cause: `the bucket is empty, but this volume holds a database of epoch ${facts.mark.epoch}: it may be the last copy`,
      next: "check the bucket's name and contents; to start from nothing, move the data directory away",
    };
  }
  if (facts.database === "foreign") return refuseForeign(5);
  return { act: "claim", row: 5, parent: null, content: "fresh", replaces: [] };
}

/** Starting with an empty database beside somebody's data would look like a loss. */
function refuseForeign(row: number): Refusal {
  return {
    act: "refuse",
    row,
    cause: "nothing is in the bucket yet, but a database that Lifeboat did not make lies on this volume",
    next: "nothing here was touched; to start with an empty one, move it out of the data directory",
  };
}

/**
 * Whether a name stands for this machine. The former name counts too: a machine that learns its provider's id is the
 * same machine. It resumes where it was, and stays down when it was replaced in between.
 */
function isNameOf({ machine, formerMachine }: Pick<BootFacts, "machine" | "formerMachine">, name: string): boolean {
  return name === machine || name === formerMachine;
}

/**
 * The state that an order asks for. It counts only right after the stop for which it was written: nothing that was
 * acknowledged later may be dropped by it. An order that cannot be carried out changes nothing.
 */
function findOrdered(facts: BootFacts, head: Head): Pick<Claim, "parent" | "content"> | null {
  const { order, orderChain, mark, incomingBytes } = facts;
  if (order === null || head.state !== "living" || !isOrderFor(order, head)) return null;
  const isStoppedHere = mark?.nonce === head.nonce && mark.cleanStop?.txid === order.stoppedAt;
  if (!isStoppedHere || !isNameOf(facts, head.machine)) return null;
  const isThere = orderChain.state === "whole" && orderChain.newestTxid === order.txid;
  if (!isThere || (order.incomingBytes ?? incomingBytes) !== incomingBytes) return null;
  const parent = { epoch: order.epoch, nonce: "", txid: order.txid };
  return { parent, content: order.incomingBytes === undefined ? "restore" : "import" };
}

/** Whether an order was written for this life of the epoch. */
export function isOrderFor(order: RestoreOrder, head: Head): boolean {
  return order.nonce === head.nonce && order.run === runOf(head);
}

/** The replica that a claim restores from, as the facts have it. */
export function chainOfParent(facts: BootFacts, { row, parent }: Claim): Chain {
  if (row === 12) return facts.orderChain;
  return facts.head?.epoch === parent?.epoch ? facts.chain : facts.parentChain;
}

function mayResume(facts: BootFacts, head: Head): boolean {
  const { mark } = facts;
  if (mark === null || facts.database !== "present") return false;
  if (!isNameOf(facts, head.machine) || mark.nonce !== head.nonce || !sawRun(mark, runOf(head))) return false;
  if (mark.cleanStop !== null) return isAsStopped(facts, facts.position);
  return mark.bootId === facts.bootId && isUpToDate(facts, head);
}

/**
 * Whether the disk, with its database at this position, is as a clean stop left it, and the bucket holds nothing later.
 * Otherwise one of the two went back in time. When it is, a resume needs no proof from Litestream's files, and a
 * comparison needs no restore.
 */
export function isAsStopped({ chain, mark }: BootFacts, position: CommitSequence | null): boolean {
  const stopped = mark?.cleanStop ?? null;
  return stopped !== null && newestOf(chain) === stopped.txid && isStoppedAt(stopped, position);
}

/**
 * Litestream stages each file on the disk before it uploads it. So when the bucket is further than the staged files, an
 * older disk was put back. A living epoch without any file proves nothing.
 */
function isUpToDate({ chain, stagedTxid }: BootFacts, head: Head): boolean {
  const newestTxid = newestOf(chain);
  if (newestTxid === null) return head.state === "opening";
  return stagedTxid !== null && stagedTxid >= newestTxid;
}

function refuseSuperseded(head: Head): Refusal {
  return {
    act: "refuse",
    row: 4,
    cause: `machine ${head.machine} has taken over with epoch ${head.epoch}; this machine's life ended before it`,
    next: "delete this machine; or, if it shall take over on purpose, empty its data directory",
  };
}

/** Rows 7 and 11: the epoch that head names has (or must have) a base in the bucket. */
function decideWithBase(facts: BootFacts, head: Head): BootPlan {
  if (facts.chain.state !== "whole") {
    const missing = facts.chain.state === "empty" ? "every file is missing" : facts.chain.missing;
    return {
      act: "refuse",
      row: 7,
      cause: `the replica of the ${head.state} epoch ${head.epoch} cannot be restored: ${missing}`,
      next: `bring the deleted versions under epochs/${head.epoch}/ back in the bucket`,
    };
  }
  const parent = parentOf(head);
  return { act: "claim", row: 11, parent, content: isOf(facts, parent) ? "compare" : "restore", replaces: [] };
}

/**
 * Rows 8 to 10: head was claimed, but died before its base was in the bucket. Only such a head may fall back to its
 * parent.
 */
function decideWithoutBase(facts: BootFacts, head: Head): BootPlan {
  const replaces = [...head.replaces, head.nonce];
  const nonce = facts.database === "present" ? (facts.mark?.nonce ?? null) : null;
  const adoptable = nonce !== null && replaces.includes(nonce);
  if (head.parent === null && !adoptable && facts.database === "foreign") return refuseForeign(8);
  if (head.parent === null) {
    return { act: "claim", row: 8, parent: null, content: adoptable ? "volume" : "fresh", replaces };
  }
  const { parent } = head;
  if (adoptable) return { act: "claim", row: 10, parent, content: "volume", replaces };
  if (facts.parentChain.state !== "whole") {
    const missing = facts.parentChain.state === "empty" ? "every file is missing" : facts.parentChain.missing;
    return {
      act: "refuse",
      row: 9,
      cause: `epoch ${head.epoch} never got a base, and its parent ${parent.epoch} cannot be restored: ${missing}`,
      next: `bring the deleted versions under epochs/${parent.epoch}/ back in the bucket`,
    };
  }
  return { act: "claim", row: 10, parent, content: isOf(facts, parent) ? "compare" : "restore", replaces };
}

/**
 * Whether the volume's database is of this epoch's newest run, so that commit sequences can be compared. A copy from an
 * earlier run may have diverged: then only the bucket counts. So it does when an earlier state was asked for.
 */
function isOf({ database, mark }: BootFacts, parent: Parent): boolean {
  return (
    parent.txid === undefined && database === "present" && mark?.nonce === parent.nonce && sawRun(mark, runOf(parent))
  );
}

/**
 * Boot refuses, because another start would end the same way. Holds the row of the table if there is one, the cause,
 * and the next steps with the command that boots again.
 */
export class BootRefused extends Error {
  override readonly name = "BootRefused";
  readonly refusal: { row: number | null; cause: string; next: string };

  constructor({ row, cause, next }: { row: number | null; cause: string; next: string }) {
    const how = `${next}, then ${bootAgain}`;
    super(`row ${row ?? "-"}: ${cause}; ${how}`);
    this.refusal = { row, cause, next: how };
  }
}
