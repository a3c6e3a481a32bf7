import { BucketError } from "./bucket-error.ts";
import type { Bucket } from "./bucket.ts";

/** Stores refuse requests that are 15 minutes off; ours has to be right before that. */
export const skewLimitMs = 10 * 60_000;

/**
 * Throws BucketError `clock-skewed` when this machine's clock and the store's, by its latest answer, are too far apart.
 * The SDK and Litestream correct a skew for themselves where the store minds it, so nothing else would tell; but the
 * app keeps times and retention by this clock.
 */
export function assertClock(bucket: Bucket): void {
  const aheadMs = bucket.clockAheadMs();
  if (aheadMs === null || Math.abs(aheadMs) <= skewLimitMs) return;
  throw new BucketError("clock-skewed", `comparing clocks with bucket ${bucket.name}`, {
    detail: `${describeSkew(aheadMs)}; set this machine's clock, boot goes on by itself`,
  });
}

/** Says which way and how far the clock is off. */
export function describeSkew(aheadMs: number): string {
  const seconds = Math.round(Math.abs(aheadMs) / 1000);
  return `clock is ${seconds} s ${aheadMs < 0 ? "behind" : "ahead of"} the store's`;
}
