import { setTimeout as sleep } from "node:timers/promises";

import { fetchRestoredSize } from "../boot/space.ts";
import { type Bucket, sentinelKey } from "../replica/bucket.ts";
import { type Chain, epochPrefix, formatTxid, listFiles, planRestore, readChain } from "../replica/chain.ts";
import { assertClock } from "../replica/diagnose-store.ts";
import { fetchHead, type Head, headKey } from "../replica/head.ts";
import { judgeChain } from "../replica/inspections.ts";
import { fetchSentinel } from "../replica/sentinel.ts";

/** `fail`: a machine could not be restored. `inconclusive`: nobody knows. */
export type Outcome = "pass" | "fail" | "inconclusive";

/** Ends a verification before anything is restored. */
export class Settled extends Error {
  readonly outcome: Exclude<Outcome, "pass">;
  readonly next: string;

  constructor(outcome: Exclude<Outcome, "pass">, cause: string, next: string) {
    super(cause);
    this.outcome = outcome;
    this.next = next;
  }
}

/** What a boot would restore now. */
export type BucketSurvey = {
  head: Head;
  epoch: string;
  keys: readonly string[];
  newestTxid: string;
  /** The size of the database. Null when the newest file has no readable header. */
  bytes: number | null;
  /** Files that the restore of the newest state reads. */
  files: number;
  /** What a person should know about the choice. */
  note: string | null;
};

const listings = 3;
const relistMs = 1_000;

export const keepTheMachine =
  "keep the machine and its volume, which may have what the bucket lacks: while it serves it makes a new base by itself; without one, bring the files back from the bucket's versions (docs/guide/verify.md)";

/** Finds out what a boot would restore, the positive control first. Throws Settled, BucketError, ShapeError. */
export async function surveyBucket(bucket: Bucket, bucketId: string | null): Promise<BucketSurvey> {
  const top = await bucket.listTop();
  await assertOwn(bucket, top, bucketId);
  assertClock(bucket);
  if (!top.includes(headKey)) throw refuseHeadless(bucket, top);
  const { head } = await fetchHead(bucket);
  const own = await listChain(bucket, head.epoch);
  const isBaseless = own.chain.state === "empty" || own.chain.state === "no-base";
  if (head.state === "opening" && isBaseless) return surveyParent(bucket, head);
  return measure(bucket, { head, epoch: head.epoch, listed: own, note: null });
}

async function assertOwn(bucket: Bucket, top: readonly string[], bucketId: string | null): Promise<void> {
  const { name } = bucket;
  const next = "compare LIFEBOAT_BUCKET, LIFEBOAT_REGION and LIFEBOAT_ENDPOINT with: pulumi stack output bucket";
  if (!top.includes(sentinelKey))
    throw new Settled("fail", `bucket ${name} has no ${sentinelKey}: it is the wrong one, or was emptied`, next);
  const found = await fetchSentinel(bucket);
  if (bucketId !== null && found.bucketId !== bucketId)
    throw new Settled("fail", `bucket ${name} is ${found.bucketId}, and not ${bucketId}`, next);
}

function refuseHeadless({ name }: Bucket, top: readonly string[]): Settled {
  if (top.includes("epochs/"))
    return new Settled(
      "fail",
      `bucket ${name} has epochs, and no ${headKey}: every boot refuses`,
      `bring ${headKey} back from the bucket's versions (docs/runbooks/boot-refused.md)`,
    );
  return new Settled("fail", `bucket ${name} holds no database yet: no machine has booted from it`, "npm run up");
}

/** Until its first upload is done, an opening epoch counts for nothing: the next boot restores its parent. */
async function surveyParent(bucket: Bucket, head: Head): Promise<BucketSurvey> {
  const { epoch, parent } = head;
  if (parent === null)
    throw new Settled(
      "inconclusive",
      `epoch ${epoch} is opening: its first upload is not done, and there is none before it`,
      "verify again when GET /ready of the machine says living",
    );
  const note = `epoch ${epoch} is opening, and a boot would restore its parent`;
  return measure(bucket, { head, epoch: parent.epoch, listed: await listChain(bucket, parent.epoch), note });
}

type Listed = { keys: readonly string[]; chain: Chain };

/** A listing taken during a compaction can look broken, so three in a row must agree. */
async function listChain(bucket: Bucket, epoch: string): Promise<Listed> {
  for (let listing = 1; ; listing++) {
    const keys = await Array.fromAsync(bucket.list(epochPrefix(epoch)));
    const chain = readChain(keys);
    if (chain.state === "whole" || listing === listings) return { keys, chain };
    await sleep(relistMs);
  }
}

type Found = { head: Head; epoch: string; listed: Listed; note: string | null };

async function measure(bucket: Bucket, { listed, ...found }: Found): Promise<BucketSurvey> {
  const { keys, chain } = listed;
  const verdict = judgeChain(chain, found.epoch, "");
  if (verdict.state !== "sound") throw new Settled("fail", verdict.cause, keepTheMachine);
  if (chain.state !== "whole") throw new Error(`a sound chain is ${chain.state}`);
  const bytes = await fetchRestoredSize(bucket, found.epoch, chain);
  return { ...found, keys, newestTxid: chain.newestTxid, bytes, files: planRestore(keys)?.length ?? 0 };
}

/** Files of level 0 are gone after five minutes, the first ones first: so a state between two of them is no point. */
const keptFromLevel = 1;
const snapshotLevel = 9;

/** The states of the past that a restore by TXID must reach: the ends of kept files from the first base on. */
export function listPoints(keys: readonly string[]): string[] {
  const files = listFiles(keys).filter(({ level }) => level >= keptFromLevel);
  const bases = files.filter(({ level, min }) => level === snapshotLevel || min === 1n).map(({ max }) => max);
  const first = bases.toSorted((one, other) => (one < other ? -1 : 1))[0];
  const newest = listFiles(keys).reduce((furthest, { max }) => (max > furthest ? max : furthest), 0n);
  if (first === undefined) return [];
  const ends = files.map(({ max }) => max).filter((max) => max >= first && max < newest);
  return [...new Set(ends)].toSorted((one, other) => (one < other ? -1 : 1)).map(formatTxid);
}

/** How many files a restore of that state reads. Throws Settled when it cannot be restored. */
export function countFilesTo(epoch: string, keys: readonly string[], txid: string): number {
  const files = planRestore(keys, txid);
  if (files !== null) return files.length;
  const verdict = judgeChain(readChain(keys, txid), epoch, txid);
  const cause = verdict.state === "sound" ? `epochs/${epoch}/ has a gap before it` : verdict.cause;
  throw new Settled("fail", `the state of TXID ${txid} cannot be restored: ${cause}`, keepTheMachine);
}
