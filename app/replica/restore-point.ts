import { setTimeout as sleep } from "node:timers/promises";

import type { Bucket } from "./bucket.ts";
import { fetchKeptTxid } from "./chain.ts";
import type { Replication } from "./replication.ts";

/** The longest delay of a timer. A store that is away is waited for, and the progress shows it. */
const unlimitedMs = 2 ** 31 - 1;
const listIntervalMs = 2_000;

/**
 * Uploads everything committed and waits until that state can be restored for as long as Litestream keeps anything. A
 * TXID in the middle of a compacted file cannot be restored once the files of level 0 are gone, after five minutes. So
 * it waits for the end of a file of level 1, which takes half a minute at most. Nothing may be written in the meantime.
 * Returns a description of the point.
 */
export async function makeRestorePoint(bucket: Bucket, replication: Replication): Promise<string> {
  const txid = await uploadAll(replication);
  for (;;) {
    const kept = await fetchKeptTxid(bucket, replication.epoch).catch(() => null);
    // Litestream's own checkpoints raise the TXID too, without changing content.
    if (kept !== null && kept >= txid) return describe(replication.epoch, kept);
    await sleep(listIntervalMs);
    if (replication.state === "fenced") throw new Error("another machine has taken over: nothing is migrated here");
  }
}

/**
 * Uploads everything committed, for migrations after which the previous release can still serve. Returns the newest
 * TXID.
 */
export async function uploadAll(replication: Replication): Promise<string> {
  await replication.upload(unlimitedMs);
  const { replicatedTxid } = replication;
  if (replicatedTxid === null) throw new Error("a checked sync left no TXID");
  return replicatedTxid;
}

function describe(epoch: string, txid: string): string {
  return `epoch ${epoch}, TXID ${txid}, ${new Date().toISOString()}`;
}
