import { setTimeout as sleep } from "node:timers/promises";

import { sizeOf } from "../durable-file.ts";
import type { Bucket } from "./bucket.ts";
import { type Chain, fetchChain } from "./chain.ts";
import type { Machine } from "./machine.ts";
import { runRehearsal } from "./rehearsal-process.ts";
import type { InspectedLife, Inspection, Verdict } from "./replica-watch.ts";

/** Five minutes: at the smallest replication interval the listings cost about 20 cents a month on AWS. */
export const listingEveryMs = 300_000;

const firstAfterMs = 10_000;
const listings = 3;
const relistMs = 1_000;

/** Judges the replica by its listing: no gap, and nothing less than what was acknowledged. */
export function listingInspection(bucket: Bucket, everyMs = listingEveryMs): Inspection {
  return {
    name: "listing",
    // A restarted process knows nothing of earlier inspections.
    firstAfterMs: Math.min(everyMs, firstAfterMs),
    everyMs: () => everyMs,
    inspect: (life) => judgeListing(bucket, life),
  };
}

/** A listing taken during a compaction can look broken, so three in a row must agree. Throws BucketError. */
async function judgeListing(bucket: Bucket, { epoch, replicatedTxid }: InspectedLife): Promise<Verdict> {
  for (let listing = 1; ; listing++) {
    const verdict = judgeChain(await fetchChain(bucket, epoch), epoch, replicatedTxid);
    if (verdict.state === "sound" || listing === listings) return verdict;
    await sleep(relistMs);
  }
}

/** Judges a listing. `replicatedTxid` is what must be there at least. */
export function judgeChain(chain: Chain, epoch: string, replicatedTxid: string): Verdict {
  if (chain.state === "empty") return { state: "broken", cause: `every file of epochs/${epoch}/ is gone` };
  if (chain.state !== "whole") return { state: "broken", cause: `epochs/${epoch}/: ${chain.missing}` };
  if (chain.newestTxid >= replicatedTxid) return { state: "sound" };
  const cause = `epochs/${epoch}/ ends at TXID ${chain.newestTxid}, but ${replicatedTxid} was replicated`;
  return { state: "broken", cause };
}

const hourMs = 3_600_000;
const dailyBytes = 1024 * 1024 * 1024;
const longestMs = hourMs;
/**
 * Judges the replica by a restore that is compared with the live database, in a process of the lowest priority. It
 * reads about a gigabyte a day: a restore at most once an hour and at least once a day.
 */
export function restoreInspection(machine: Machine, everyMs = () => restoreEveryMs(machine)): Inspection {
  return {
    name: "restore",
    // Not while a machine that was just restored is busy.
    firstAfterMs: Math.min(everyMs(), 600_000),
    everyMs,
    inspect: async ({ epoch }) => {
      const rehearsal = { epoch, live: true, depth: "quick" } as const;
      return (await runRehearsal(machine, rehearsal, { limitMs: longestMs })).verdict;
    },
  };
}

/** The pause between two restores. Reading costs money when the machine is not in the store's network. */
function restoreEveryMs({ files }: Pick<Machine, "files">): number {
  const bytes = sizeOf(files.database);
  return Math.min(24 * hourMs, Math.max(hourMs, (24 * hourMs * bytes) / dailyBytes));
}
