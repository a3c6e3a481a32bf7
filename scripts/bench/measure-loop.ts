import type { Figures } from "./interleave.ts";

/** Calls `act` with an increasing count until the round is over. */
export function measureLoop(roundMs: number, act: (count: number) => void): Figures {
  const startMs = performance.now();
  let count = 0;
  while (performance.now() - startMs < roundMs) {
    for (const end = count + 100; count < end; count++) act(count);
  }
  return { perSecond: (count / (performance.now() - startMs)) * 1000 };
}
