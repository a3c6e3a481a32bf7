import { setTimeout as sleep } from "node:timers/promises";

/**
 * The time that a clean stop has as a whole. Each step gets what it wants, but never what is reserved for the steps
 * after it.
 */
export class StopBudget {
  readonly #endsAt: number;

  constructor(totalMs: number) {
    this.#endsAt = performance.now() + totalMs;
  }

  /** Milliseconds for a step that wants `wantedMs` and must leave `reservedMs` to those after it. */
  share(wantedMs: number, reservedMs = 0): number {
    return Math.max(0, Math.min(wantedMs, this.#endsAt - performance.now() - reservedMs));
  }
}

/** Waits for one step. Throws when it takes longer than its limit; what it does is not interrupted. */
export async function endWithin<Result>(doing: string, limitMs: number, step: Promise<Result>): Promise<Result> {
  const over = new AbortController();
  const late = sleep(limitMs, undefined, { signal: over.signal }).then(
    () => Promise.reject(new Error(`${doing} took longer than ${Math.round(limitMs)} ms`)),
    () => Promise.withResolvers<never>().promise,
  );
  try {
    return await Promise.race([step, late]);
  } finally {
    over.abort();
  }
}
