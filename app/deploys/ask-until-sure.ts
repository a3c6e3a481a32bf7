import { setTimeout as sleep } from "node:timers/promises";

const askEveryMs = 2_000;
// AWS makes new keys known everywhere within seconds. A single answer may come from a place that knows it early.
const neededAnswers = 3;

/**
 * Asks the bucket with a new key until it has answered three times. Each call must open a connection of its own, which
 * may end at another place of the store. Throws the last failure when `limitMs` have passed.
 */
export async function askUntilSure(ask: () => Promise<unknown>, limitMs: number): Promise<void> {
  const endAt = performance.now() + limitMs;
  for (let answers = 0; answers < neededAnswers;) {
    try {
      await ask();
      answers += 1;
    } catch (error) {
      if (performance.now() > endAt) throw error;
      await sleep(askEveryMs);
    }
  }
}
