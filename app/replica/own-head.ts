import { BucketError } from "./bucket-error.ts";
import type { Bucket } from "./bucket.ts";
import { fetchHead, runOf } from "./head.ts";
import { sawRun, type Mark } from "./mark.ts";
import { ShapeError } from "./parse-json.ts";
import { waitForStore } from "./wait-for-store.ts";

/** Head names another life than the one that boot prepared here. Final. */
export class Superseded extends Error {
  override readonly name = "Superseded";
}

export type OnStoreFault = (cause: string, error: unknown) => void;

/**
 * Reads head once more before anything is acknowledged: since boot another machine may have claimed it. Waits while the
 * store does not tell. Throws Superseded.
 */
export async function confirmOwnHead(bucket: Bucket, mark: Mark, onFault: OnStoreFault): Promise<void> {
  const { head } = await waitForHead(() => fetchHead(bucket), onFault);
  if (head.nonce !== mark.nonce)
    throw new Superseded(`machine ${head.machine} has taken over with epoch ${head.epoch}`);
  if (!sawRun(mark, runOf(head)))
    throw new Superseded(
      `epoch ${head.epoch} was taken up after this disk was last used: a copy of this machine serves, or the disk was put back; start boot, which judges it`,
    );
}

/**
 * Repeats a question to the store until it is answered, whatever the store says instead: also a refused key or a head
 * that is gone must not take away the reads of a machine that boot has prepared.
 */
export function waitForHead<Result>(call: () => Promise<Result>, onFault: OnStoreFault): Promise<Result> {
  return waitForStore(call, Number.POSITIVE_INFINITY, onFault, isFaultOfStore);
}

function isFaultOfStore(error: unknown): boolean {
  return error instanceof BucketError || error instanceof ShapeError;
}
