import type { BucketLimits } from "../replica/lister.ts";
import { restoreStallMs } from "../replica/restore.ts";

/** Time limits of a boot. Tests shorten them. */
export type BootLimits = {
  /** Wait for the Litestream of an earlier run to end. */
  litestreamWaitSeconds: number;
  /** A restore without progress for this long has stalled. */
  restoreStallMs: number;
  /** Pauses between the tries of a restore that fails. After the last one boot refuses. */
  restorePausesMs: readonly number[];
  /**
   * How long a call after the claim is retried while the store fails. A short outage must not throw away a long
   * restore.
   */
  storeWaitMs: number;
  /** Longest pause between two tries while the store does not answer. */
  maxBackoffMs: number;
  /**
   * How long to retry a key that the store does not know, or that lacks rights. AWS needs seconds until a new key and
   * its policy are known everywhere. After this time the key is wrong.
   */
  unknownKeyMs: number;
  /** Overrides the limits of single requests. */
  store: Partial<BucketLimits>;
};

/** The limits in production. */
export const bootLimits: BootLimits = {
  litestreamWaitSeconds: 30,
  restoreStallMs,
  // The first pause is for files that compaction removed during the restore, the others for a DNS outage.
  restorePausesMs: [100, 2_000, 10_000, 30_000],
  storeWaitMs: 120_000,
  maxBackoffMs: 10_000,
  unknownKeyMs: 60_000,
  store: {},
};
