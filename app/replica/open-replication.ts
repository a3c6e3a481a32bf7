import { openBucket, type Bucket } from "./bucket.ts";
import { probeConditionalWrites } from "./conditional-writes.ts";
import { sizeOf } from "./durable-file.ts";
import { fetchHead } from "./head.ts";
import { listingInspection } from "./listing-inspection.ts";
import { LitestreamWatch, watchLimits, type WatchLimits } from "./litestream-watch.ts";
import { killLitestream, syncReplica } from "./litestream.ts";
import type { Machine } from "./machine.ts";
import type { Mark } from "./mark.ts";
import { NewBase } from "./new-base.ts";
import { confirmOwnHead, waitForHead, type OnStoreFault } from "./own-head.ts";
import type { Inspection } from "./replica-watch.ts";
import type { ReplicationOptions } from "./replication-options.ts";
import { Replication } from "./replication.ts";
import type { Fence } from "./report.ts";
import { restoreInspection } from "./restore-inspection.ts";
import { newestRunOf, noteReplicated } from "./take-up-disk.ts";

/** Every shared sync makes one file, and a restore reads each that is not yet compacted: at most ten a second. */
const syncIntervalMs = 100;
const syncBaseLimitMs = 15_000;
/** The slowest upload that is still waited for beyond the fixed part, about 1 MB a second. */
const bytesPerLimitMs = 1_000;

export type Opening = Pick<ReplicationOptions, "log" | "onFenced"> & {
  machine: Machine;
  mark: Mark;
  /** Told of each fault while the store does not tell whose it is. */
  onStoreFault?: OnStoreFault;
  /** How the replica is judged. */
  inspections?: (bucket: Bucket, machine: Machine) => Inspection[];
  limits?: WatchLimits;
};

/**
 * Makes sure that head is still ours, finds out whether the store can fence, and starts replication of the epoch that
 * the mark names. Waits while the store does not tell. Throws Superseded.
 */
export async function openReplication(opening: Opening): Promise<Replication> {
  const { machine, mark, log, onFenced, onStoreFault = () => undefined } = opening;
  const { inspections = inspectReplica, limits = watchLimits } = opening;
  const bucket = openBucket(machine.bucket);
  const fence = await confirmAndProbe(bucket, { machine, mark, onStoreFault });
  const { database, litestreamSocket, litestreamLock } = machine.files;
  const watch = new LitestreamWatch({
    limits,
    askStore: () => fetchHead(bucket),
    // Its supervisor starts it again.
    kill: () => killLitestream(litestreamSocket, litestreamLock),
    log,
  });
  const replication: Replication = new Replication({
    log,
    onFenced,
    bucket,
    epoch: mark.epoch,
    nonce: mark.nonce,
    run: newestRunOf(mark),
    onReplicated: (replicated) => noteReplicated(machine.files, replicated),
    fence,
    acceptAdvisoryFence: machine.acceptAdvisoryFence,
    baseBytes: () => sizeOf(database),
    sync: () => watch.observe(() => syncReplica(litestreamSocket, database, syncLimitMs(database, replication.state))),
    syncIntervalMs,
    inspections: inspections(bucket, machine),
    newBase: new NewBase(bucket, machine),
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

function inspectReplica(bucket: Bucket, machine: Machine): Inspection[] {
  return [listingInspection(bucket), restoreInspection(machine)];
}

/**
 * Litestream cancels its own upload at the limit, so the limit grows with what there is to upload: the whole database
 * only while its base goes up. Otherwise a Litestream that hangs would be waited for as long as a base takes.
 */
export function syncLimitMs(database: string, state: Replication["state"]): number {
  const baseBytes = state === "opening" ? sizeOf(database) : 0;
  return syncBaseLimitMs + Math.ceil((baseBytes + sizeOf(`${database}-wal`)) / bytesPerLimitMs);
}
