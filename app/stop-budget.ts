import { setTimeout as sleep } from "node:timers/promises";

/** The total time of a clean stop. Each step gets what it wants, except what is reserved for later steps. */
export class StopBudget {
  readonly #endsAt: number;

  constructor(totalMs: number) {
    this.#endsAt = performance.now() + totalMs;
  }

  /** Milliseconds for a step that wants `wantedMs` and must leave `reservedMs` to later steps. */
  share(wantedMs: number, reservedMs = 0): number {
    return Math.max(0, Math.min(wantedMs, this.#endsAt - performance.now() - reservedMs));
  }
}

/** Waits for one step. Throws when it takes longer than its limit, without interrupting it. */
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
