import { statSync } from "node:fs";

import { openBucket, type Bucket } from "./bucket.ts";
import { probeConditionalWrites } from "./conditional-writes.ts";
import { runOf } from "./head.ts";
import { syncReplica } from "./litestream.ts";
import type { Machine } from "./machine.ts";
import type { Mark } from "./mark.ts";
import { confirmOwnHead, waitForHead, type OnStoreFault } from "./own-head.ts";
import { Replication, type ReplicationOptions } from "./replication.ts";
import type { Fence } from "./report.ts";

/** Every shared sync makes one file, and a restore reads each that is not yet compacted: at most ten a second. */
const syncIntervalMs = 100;
const syncBaseLimitMs = 15_000;
/** The slowest upload that is still waited for beyond the fixed part, about 1 MB a second. */
const bytesPerLimitMs = 1_000;

type Events = Pick<ReplicationOptions, "log" | "onFenced"> & { onStoreFault?: OnStoreFault };

/**
 * Makes sure that head is still ours, finds out whether the store can fence, and starts replication of the epoch that
 * the mark names. Waits while the store does not tell. Throws Superseded.
 */
export async function openReplication(
  machine: Machine,
  mark: Mark,
  { onStoreFault = () => undefined, ...events }: Events,
): Promise<Replication> {
  const bucket = openBucket(machine.bucket);
  const fence = await confirmAndProbe(bucket, { machine, mark, onStoreFault });
  const { database, litestreamSocket } = machine.files;
  const replication = new Replication({
    ...events,
    bucket,
    epoch: mark.epoch,
    nonce: mark.nonce,
    run: runOf({ nonce: mark.nonce, run: mark.runs?.at(-1) }),
    fence,
    acceptAdvisoryFence: machine.acceptAdvisoryFence,
    baseBytes: () => sizeOf(database),
    sync: () => syncReplica(litestreamSocket, database, syncLimitMs(database)),
    syncIntervalMs,
  });
  replication.start();
  return replication;
}

type Life = { machine: Machine; mark: Mark; onStoreFault: OnStoreFault };

/** Head is read again when the probe had to wait: another machine may have claimed it meanwhile. */
async function confirmAndProbe(bucket: Bucket, { machine, mark, onStoreFault }: Life): Promise<Fence> {
  for (;;) {
    let waited = false;
    await confirmOwnHead(bucket, mark, onStoreFault);
    const fence = await waitForHead(
      () => probeConditionalWrites(bucket, machine.machineId),
      (cause, error) => {
        waited = true;
        onStoreFault(cause, error);
      },
    );
    if (!waited) return fence;
  }
}

/** Litestream cancels its own upload at the limit, so the limit grows with what there is to upload. */
function syncLimitMs(database: string): number {
  return syncBaseLimitMs + Math.ceil((sizeOf(database) + sizeOf(`${database}-wal`)) / bytesPerLimitMs);
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}
