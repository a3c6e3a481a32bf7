import { setTimeout as sleep } from "node:timers/promises";

import { mayPass } from "./bucket-error.ts";

const firstPauseMs = 250;
const longestPauseMs = 5_000;

/**
 * Repeats a call while it fails with a temporary fault of the store, then throws the last error. Only for calls that
 * may be made twice: a conditional PUT is not one of them. `onFault` is called before each pause. `isPassing` says
 * which faults are temporary.
 */
export async function waitForStore<Result>(
  call: () => Promise<Result>,
  limitMs: number,
  onFault: (cause: string, error: unknown) => void = () => undefined,
  isPassing: (error: unknown) => boolean = mayPass,
): Promise<Result> {
  // A monotonic clock, because the wall clock may be set while we wait.
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
