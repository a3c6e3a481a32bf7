import type { Bucket } from "./bucket.ts";
import { fetchHead, runOf } from "./head.ts";
import { sawRun, type Mark } from "./mark.ts";
import { waitForStore } from "./wait-for-store.ts";

/** Head names another life than the one that boot prepared here. Final. */
export class Superseded extends Error {
  override readonly name = "Superseded";
}

/**
 * Reads head once more before anything is served: since boot another machine may have claimed it. Waits while the store
 * does not answer. Throws Superseded, BucketError.
 */
export async function confirmOwnHead(bucket: Bucket, mark: Mark, onFault: (cause: string) => void): Promise<void> {
  const { head } = await waitForStore(() => fetchHead(bucket), Number.POSITIVE_INFINITY, onFault);
  if (head.nonce !== mark.nonce)
    throw new Superseded(`machine ${head.machine} has taken over with epoch ${head.epoch}`);
  if (!sawRun(mark, runOf(head)))
    throw new Superseded(
      `epoch ${head.epoch} was taken up after this disk was last used: a copy of this machine serves, or the disk was put back; start boot, which judges it`,
    );
}
