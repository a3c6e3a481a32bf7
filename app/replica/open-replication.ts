import { statSync } from "node:fs";

import { openBucket } from "./bucket.ts";
import { probeConditionalWrites } from "./conditional-writes.ts";
import { runOf } from "./head.ts";
import { syncReplica } from "./litestream.ts";
import type { Machine } from "./machine.ts";
import type { Mark } from "./mark.ts";
import { confirmOwnHead } from "./own-head.ts";
import { Replication, type ReplicationOptions } from "./replication.ts";

/** Every shared sync makes one file, and a restore reads each that is not yet compacted: at most ten a second. */
const syncIntervalMs = 100;
const syncBaseLimitMs = 15_000;
/** The slowest upload that is still waited for beyond the fixed part, about 1 MB a second. */
const bytesPerLimitMs = 1_000;

/**
 * Makes sure that head is still ours, finds out whether the store can fence, and starts replication of the epoch that
 * the mark names. Throws Superseded, BucketError.
 */
export async function openReplication(
  machine: Machine,
  mark: Mark,
  events: Pick<ReplicationOptions, "log" | "onFenced">,
): Promise<Replication> {
  const bucket = openBucket(machine.bucket);
  await confirmOwnHead(bucket, mark, (cause) => events.log("the store does not answer, waiting to serve", { cause }));
  const { database, litestreamSocket } = machine.files;
  const replication = new Replication({
    ...events,
    bucket,
    epoch: mark.epoch,
    nonce: mark.nonce,
    run: runOf({ nonce: mark.nonce, run: mark.runs?.at(-1) }),
    fence: await probeConditionalWrites(bucket, machine.machineId),
    acceptAdvisoryFence: machine.acceptAdvisoryFence,
    baseBytes: () => sizeOf(database),
    sync: () => syncReplica(litestreamSocket, database, syncLimitMs(database)),
    syncIntervalMs,
  });
  replication.start();
  return replication;
}

/** Litestream cancels its own upload at the limit, so the limit grows with what there is to upload. */
function syncLimitMs(database: string): number {
  return syncBaseLimitMs + Math.ceil((sizeOf(database) + sizeOf(`${database}-wal`)) / bytesPerLimitMs);
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}
