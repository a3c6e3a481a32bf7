import type { BucketLimits } from "../replica/lister.ts";
import { restoreStallMs } from "../replica/restore.ts";

/** How long a boot waits for what. Tests shorten them. */
export type BootLimits = {
  /** For a Litestream of an earlier life to end. */
  litestreamWaitSeconds: number;
  /** For a restore that shows no progress. */
  restoreStallMs: number;
  /** Before each further try of a restore that failed; after the last one boot refuses. */
  restorePausesMs: readonly number[];
  /** For a call after the claim that fails by the store's fault: a short outage must not throw away a long restore. */
  storeWaitMs: number;
  /** Longest pause between two tries while the store does not answer. */
  maxBackoffMs: number;
  /**
   * For a key that the store does not know, or whose rights it does not know: AWS needs seconds until a new key and its
   * policy are known everywhere; after this long they are simply wrong.
   */
  unknownKeyMs: number;
  /** What replaces the limits of single requests. */
  store: Partial<BucketLimits>;
};

/** The limits of a real boot. */
export const bootLimits: BootLimits = {
  litestreamWaitSeconds: 30,
  restoreStallMs,
  // The first for files that compaction took away under the restore, the others for names that do not resolve for a
  // while.
  restorePausesMs: [100, 2_000, 10_000, 30_000],
  storeWaitMs: 120_000,
  maxBackoffMs: 10_000,
  unknownKeyMs: 60_000,
  store: {},
};
