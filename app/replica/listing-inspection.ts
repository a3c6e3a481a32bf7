import { setTimeout as sleep } from "node:timers/promises";

import type { Bucket } from "./bucket.ts";
import { fetchChain, type Chain } from "./chain.ts";
import type { Inspection, InspectedLife, Verdict } from "./replica-watch.ts";

/** Five minutes: at the smallest replication interval the listings cost about 20 cents a month on AWS. */
export const listingEveryMs = 300_000;

const firstAfterMs = 10_000;
const listings = 3;
const relistMs = 1_000;

/** Judges the replica by its listing: no hole, and nothing less than what was acknowledged. */
export function listingInspection(bucket: Bucket, everyMs = listingEveryMs): Inspection {
  return {
    name: "listing",
    // A process that was restarted knows nothing of what was found before.
    firstAfterMs: Math.min(everyMs, firstAfterMs),
    everyMs: () => everyMs,
    inspect: (life) => judgeListing(bucket, life),
  };
}

/** A listing taken during a compaction can look broken: only three in a row are believed. Throws BucketError. */
async function judgeListing(bucket: Bucket, { epoch, replicatedTxid }: InspectedLife): Promise<Verdict> {
  for (let listing = 1; ; listing++) {
    const verdict = judgeChain(await fetchChain(bucket, epoch), epoch, replicatedTxid);
    if (verdict.state === "sound" || listing === listings) return verdict;
    await sleep(relistMs);
  }
}

function judgeChain(chain: Chain, epoch: string, replicatedTxid: string): Verdict {
  if (chain.state === "empty") return { state: "broken", cause: `every file of epochs/${epoch}/ is gone` };
  if (chain.state !== "whole") return { state: "broken", cause: `epochs/${epoch}/: ${chain.missing}` };
  if (chain.newestTxid >= replicatedTxid) return { state: "sound" };
  const cause = `epochs/${epoch}/ ends at TXID ${chain.newestTxid}, but ${replicatedTxid} was replicated`;
  return { state: "broken", cause };
}
