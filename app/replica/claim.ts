import { rmSync, writeFileSync } from "node:fs";

import type { CommitSequence } from "../database/commit-sequence.ts";
import { BucketError, mayPass } from "./bucket-error.ts";
import type { Bucket } from "./bucket.ts";
import { epochPrefix } from "./chain.ts";
import { fetchHead, openingHead, swapHead, type Head, type Parent, type StoredHead } from "./head.ts";
import { renderLitestreamConfig } from "./litestream-config.ts";
import type { Machine } from "./machine.ts";
import { writeMark } from "./mark.ts";
import { removeRestoreOrder } from "./restore-order.ts";
import { waitForStore } from "./wait-for-store.ts";

export type Content = "fresh" | "volume" | "restore" | "compare" | "import";

/** What boot has decided to claim, and by which row of its table. */
export type Claim = { act: "claim"; row: number; parent: Parent | null; content: Content; replaces: readonly string[] };

/** Another machine won head. Final for this boot: the winner serves. */
export class ClaimLost extends Error {
  override readonly name = "ClaimLost";
}

/** Nobody won: the claim did not reach the store, or head changed without a new owner. Survey again. */
export class ClaimUnsettled extends Error {
  override readonly name = "ClaimUnsettled";
}

const rereadLimitMs = 120_000;

/**
 * Wins the next head by compare-and-swap before anything of the replica is read. Throws ClaimLost (final),
 * ClaimUnsettled (survey again), BucketError.
 */
export async function claimHead(
  bucket: Bucket,
  machine: Machine,
  options: { seen: StoredHead | null; plan: Claim },
): Promise<StoredHead> {
  const { seen, plan } = options;
  const head = openingHead({
    seen: seen?.head ?? null,
    machine: machine.machineId,
    parent: plan.parent,
    replaces: plan.replaces,
  });
  const etag = await sendClaim(bucket, head, seen?.etag ?? null);
  if (etag !== null) return { head, etag };
  return confirmClaim(bucket, machine, { seen, nonce: head.nonce });
}

/** A note for people, in the folder of an epoch: where the epoch comes from. */
type EpochNote = {
  epoch: string;
  parent: Parent | null;
  content: "fresh" | "volume" | "restored" | "imported";
  restoredTxid: string | null;
  commitSequence: CommitSequence | null;
};

/** Puts the note into the bucket. Throws BucketError. */
export async function putEpochNote(bucket: Bucket, note: EpochNote): Promise<void> {
  await bucket.put(`${epochPrefix(note.epoch)}epoch.json`, JSON.stringify(note, null, 2));
}

/**
 * Makes an epoch whose database is in place this machine's own: writes the mark first, then Litestream's configuration.
 */
export function takeOverEpoch(machine: Machine, { epoch, nonce }: Head): void {
  const { files, machineId, bootId } = machine;
  writeMark(files.mark, { epoch, nonce, machine: machineId, bootId, cleanStop: null });
  rmSync(files.replicated, { force: true });
  removeRestoreOrder(files.restoreOrder);
  writeFileSync(files.litestreamConfig, renderLitestreamConfig(machine, epoch), { mode: 0o600 });
}

/**
 * Records in head that this run resumes its epoch, so that an earlier copy of this disk can never resume it. Throws
 * ClaimUnsettled when head has changed or the PUT did not reach the store (survey again), BucketError.
 */
export async function resumeEpoch(
  bucket: Bucket,
  seen: StoredHead,
  { run, machine }: { run: string; machine: string },
): Promise<void> {
  if ((await sendClaim(bucket, { ...seen.head, machine, run }, seen.etag)) !== null) return;
  const stored = await waitForStore(() => fetchHeadOrNull(bucket), rereadLimitMs);
  if (stored?.head.run === run) return;
  throw new ClaimUnsettled(`epoch ${seen.head.epoch} could not be taken up: head changed, or the store did not answer`);
}

/**
 * A refused PUT may be our own success whose answer was lost, so the nonce in head decides. The claim is lost for good
 * only when another machine has claimed since the survey. The owner of the surveyed head making it living is not a
 * claim.
 */
async function confirmClaim(
  bucket: Bucket,
  machine: Machine,
  claim: { seen: StoredHead | null; nonce: string },
): Promise<StoredHead> {
  const stored = await waitForStore(() => fetchHeadOrNull(bucket), rereadLimitMs);
  if (stored?.head.nonce === claim.nonce) return stored;
  const isClaimed = stored !== null && stored.head.nonce !== claim.seen?.head.nonce;
  if (isClaimed && stored.head.machine !== machine.machineId) {
    throw new ClaimLost(`machine ${stored.head.machine} won epoch ${stored.head.epoch}`);
  }
  const head = stored === null ? "still missing" : `${stored.head.epoch}, ${stored.head.state}`;
  throw new ClaimUnsettled(`the claim has not reached the store, or head changed under it: head is ${head}`);
}

/**
 * Sends a claim. Returns the ETag, or null when the PUT was refused or its answer was lost: then the nonce in head
 * tells who won. Throws BucketError for a final fault.
 */
export async function sendClaim(bucket: Bucket, head: Head, seenEtag: string | null): Promise<string | null> {
  try {
    return await swapHead(bucket, head, seenEtag);
  } catch (error) {
    if (mayPass(error)) return null;
    throw error;
  }
}

async function fetchHeadOrNull(bucket: Bucket): Promise<StoredHead | null> {
  try {
    return await fetchHead(bucket);
  } catch (error) {
    if (error instanceof BucketError && error.kind === "missing") return null;
    throw error;
  }
}
