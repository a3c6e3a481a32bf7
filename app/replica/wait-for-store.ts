import { setTimeout as sleep } from "node:timers/promises";

import { mayPass } from "./bucket-error.ts";

const firstPauseMs = 250;
const longestPauseMs = 5_000;

/**
 * Repeats a call for as long as it fails by a fault of the store that may pass, then throws the last one. For calls
 * that may be made twice only: a conditional PUT is not one of them. `onFault` is told before each pause. `isPassing` says
 * which faults are waited for.
 */
export async function waitForStore<Result>(
  call: () => Promise<Result>,
  limitMs: number,
  onFault: (cause: string, error: unknown) => void = () => undefined,
  isPassing: (error: unknown) => boolean = mayPass,
): Promise<Result> {
  // Not by the wall clock, which may be set while we wait.
  const deadline = performance.now() + limitMs;
  for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
    try {
      return await call();
    } catch (error) {
      if (!isPassing(error) || performance.now() + pauseMs > deadline) throw error;
      onFault(String(error), error);
      await sleep(pauseMs);
    }
  }
}
