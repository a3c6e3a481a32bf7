/** One moment by both clocks. */
export type Moment = Readonly<{ monotonicMs: number; wallMs: number }>;

/** The present. */
export function readClocks(): Moment {
  return { monotonicMs: performance.now(), wallMs: Date.now() };
}

/**
 * How old a proof is at most. The wall clock may be set back, and the monotonic one may stand still with its machine: the
 * longer time counts.
 */
export function elapsedMs({ monotonicMs, wallMs }: Moment): number {
  return Math.round(Math.max(performance.now() - monotonicMs, Date.now() - wallMs));
}
