/** One moment on both clocks. */
export type Moment = Readonly<{ monotonicMs: number; wallMs: number }>;

/** The present. */
export function readClocks(): Moment {
  return { monotonicMs: performance.now(), wallMs: Date.now() };
}

/**
 * The greatest possible age of a proof. The wall clock may be set back, and the monotonic one may stop with its
 * machine, so the longer time counts.
 */
export function elapsedMs({ monotonicMs, wallMs }: Moment): number {
  return Math.round(Math.max(performance.now() - monotonicMs, Date.now() - wallMs));
}
