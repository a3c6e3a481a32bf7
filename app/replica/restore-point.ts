import { setTimeout as sleep } from "node:timers/promises";

import type { Bucket } from "./bucket.ts";
import { fetchKeptTxid } from "./chain.ts";
import type { Replication } from "./replication.ts";

/** The longest that a timer can wait: a store that is away is waited for, and the progress tells it. */
const unlimitedMs = 2 ** 31 - 1;
const listIntervalMs = 2_000;

/**
 * Uploads all that is committed and waits until it can be restored for as long as Litestream keeps anything: a TXID in
 * the middle of a compacted file cannot be restored once the files of level 0 are gone, after five minutes. So a file of
 * level 1 has to end there, which takes half a minute at most. Nothing may be written meanwhile. Returns where it is.
 */
export async function makeRestorePoint(bucket: Bucket, replication: Replication): Promise<string> {
  const txid = await uploadAll(replication);
  for (;;) {
    const kept = await fetchKeptTxid(bucket, replication.epoch).catch(() => null);
    // Litestream's own checkpoints raise the TXID too, and change no content.
    if (kept !== null && kept >= txid) return describe(replication.epoch, kept);
    await sleep(listIntervalMs);
    if (replication.state === "fenced") throw new Error("another machine has taken over: nothing is migrated here");
  }
}

/** Uploads all that is committed, where the release before serves afterwards too. Returns the newest TXID. */
export async function uploadAll(replication: Replication): Promise<string> {
  await replication.upload(unlimitedMs);
  const { replicatedTxid } = replication;
  if (replicatedTxid === null) throw new Error("a checked sync left no TXID");
  return replicatedTxid;
}

function describe(epoch: string, txid: string): string {
  return `epoch ${epoch}, TXID ${txid}, ${new Date().toISOString()}`;
}
