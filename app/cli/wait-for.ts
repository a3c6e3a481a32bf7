import { setTimeout as sleep } from "node:timers/promises";

export type WaitOptions = Readonly<{ timeoutMs: number; everyMs?: number }>;

/**
 * Repeats the probe until it returns something other than null, and returns that. Throws on timeout, with the name of
 * what was waited for and the probe's last error.
 */
export async function waitFor<Found>(
  name: string,
  probe: () => Promise<Found | null>,
  { timeoutMs, everyMs = 20 }: WaitOptions,
): Promise<Found> {
  const deadline = performance.now() + timeoutMs;
  let complaint: unknown = null;
  do {
    try {
      const found = await probe();
      if (found !== null) return found;
    } catch (error) {
      complaint = error;
    }
    await sleep(everyMs);
  } while (performance.now() < deadline);
  throw new Error(`waited ${timeoutMs} ms for ${name} in vain`, complaint === null ? {} : { cause: complaint });
}

/** Rejects when the promise takes longer than the limit. The work itself goes on: the caller ends it. */
export async function within<Result>(name: string, timeoutMs: number, work: Promise<Result>): Promise<Result> {
  const cancel = new AbortController();
  const limit = sleep(timeoutMs, null, { signal: cancel.signal }).then(() => {
    throw new Error(`${name} took longer than ${timeoutMs} ms`);
  });
  try {
    return await Promise.race([work, limit]);
  } finally {
    limit.catch(() => null);
    cancel.abort();
  }
}
