import { sizeOf } from "../durable-file.ts";
import { newestRunOf, noteReplicated, startBoot } from "./begin-run.ts";
import { BucketError } from "./bucket-error.ts";
import { type Bucket, openBucket } from "./bucket.ts";
import { fetchChain } from "./chain.ts";
import { probeConditionalWrites } from "./conditional-writes.ts";
import type { Fence } from "./conditional-writes.ts";
import { fetchHead, runOf } from "./head.ts";
import { listingInspection, restoreInspection } from "./inspections.ts";
import type { OnSlowListing } from "./lister.ts";
import { LitestreamWatch, type WatchLimits, watchLimits } from "./litestream-watch.ts";
import { killLitestream, syncReplica } from "./litestream.ts";
import type { Machine } from "./machine.ts";
import { type Mark, sawRun } from "./mark.ts";
import { NewBase } from "./new-base.ts";
import { ShapeError } from "./parse-json.ts";
import type { Inspection } from "./replica-watch.ts";
import type { ReplicationOptions } from "./replication-options.ts";
import { Replication } from "./replication.ts";
import { RoundPace } from "./round-pace.ts";
import { waitForStore } from "./wait-for-store.ts";

const syncBaseLimitMs = 15_000;
/** The slowest upload that is still waited for, beyond the fixed part: about 1 MB a second. */
const bytesPerLimitMs = 1_000;

type Opening = Pick<ReplicationOptions, "log" | "onFenced"> & {
  machine: Machine;
  mark: Mark;
  /** Called for each fault while the store cannot be asked who owns head. */
  onStoreFault?: OnStoreFault;
  /** How the replica is judged. */
  inspections?: (bucket: Bucket, machine: Machine) => Inspection[];
  limits?: WatchLimits;
};

/**
 * Checks that head is still ours, probes whether the store can fence, and starts replication of the epoch in the mark.
 * Waits while the store does not answer. Throws Superseded.
 */
export async function openReplication(opening: Opening): Promise<Replication> {
  const { machine, mark, log, onFenced, onStoreFault = () => undefined } = opening;
  const { inspections = inspectReplica, limits = watchLimits } = opening;
  const onSlowListing: OnSlowListing = (listing) =>
    log.warn({ ...listing }, "the store takes long to list, as over many delete markers");
  const bucket = openBucket(machine.bucket, { onSlowListing });
  const fence = await confirmAndProbe(bucket, { machine, mark, onStoreFault });
  const { database, litestreamSocket, litestreamLock } = machine.files;
  const watch = new LitestreamWatch({
    limits,
    askStore: async () => {
      await fetchHead(bucket);
      await fetchChain(bucket, replication.epoch);
    },
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
    pace: new RoundPace(machine.syncsPerMonth),
    inspections: inspections(bucket, machine),
    newBase: new NewBase(bucket, machine),
  });
  replication.start();
  return replication;
}

type Life = { machine: Machine; mark: Mark; onStoreFault: OnStoreFault };

/** Reads head again when the probe had to wait, because another machine may have claimed it in the meantime. */
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
 * Litestream cancels its own upload at the limit, so the limit grows with the size of the upload: the whole database
 * only while its base goes up. Otherwise a hanging Litestream would be given as long as a base needs.
 */
export function syncLimitMs(database: string, state: Replication["state"]): number {
  const baseBytes = state === "opening" ? sizeOf(database) : 0;
  return syncBaseLimitMs + Math.ceil((baseBytes + sizeOf(`${database}-wal`)) / bytesPerLimitMs);
}

/** Head names another epoch or run than the one that boot prepared here. Final. */
export class Superseded extends Error {
  override readonly name = "Superseded";
}

type OnStoreFault = (cause: string, error: unknown) => void;

/**
 * Reads head once more before anything is acknowledged: another machine may have claimed it since boot. Waits while the
 * store does not answer. Throws Superseded.
 */
async function confirmOwnHead(bucket: Bucket, mark: Mark, onFault: OnStoreFault): Promise<void> {
  const { head } = await waitForHead(() => fetchHead(bucket), onFault);
  if (head.nonce !== mark.nonce)
    throw new Superseded(`machine ${head.machine} has taken over with epoch ${head.epoch}`);
  if (!sawRun(mark, runOf(head)))
    throw new Superseded(
      `epoch ${head.epoch} was taken up after this disk was last used: a copy of this machine serves, or the disk was put back; start boot, which judges it (${startBoot})`,
    );
}

/**
 * Repeats a question to the store until it is answered, whatever error comes instead. Even a refused key or a missing
 * head must not stop the reads of a machine that boot has prepared.
 */
function waitForHead<Result>(call: () => Promise<Result>, onFault: OnStoreFault): Promise<Result> {
  return waitForStore(call, Number.POSITIVE_INFINITY, onFault, isFaultOfStore);
}

function isFaultOfStore(error: unknown): boolean {
  return error instanceof BucketError || error instanceof ShapeError;
}
