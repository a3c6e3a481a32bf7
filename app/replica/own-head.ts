import { setTimeout as sleep } from "node:timers/promises";

import { mayPass } from "./bucket-error.ts";
import type { Bucket } from "./bucket.ts";
import { fetchHead } from "./head.ts";
import type { Mark } from "./mark.ts";

/** Head names another life than the one that boot prepared here. Final. */
export class Superseded extends Error {
  override readonly name = "Superseded";
}

const retryMs = 500;

/**
 * Reads head once more before anything is served: since boot another machine may have claimed it. Waits while the store
 * does not answer. Throws Superseded, BucketError.
 */
export async function confirmOwnHead(bucket: Bucket, mark: Mark): Promise<void> {
  for (;;) {
    try {
      const { head } = await fetchHead(bucket);
      if (head.nonce === mark.nonce) return;
      throw new Superseded(`machine ${head.machine} has taken over with epoch ${head.epoch}`);
    } catch (error) {
      if (!mayPass(error)) throw error;
      await sleep(retryMs);
    }
  }
}
