import type { Figures, Row } from "./report.ts";
import { quantilesOf } from "./statistics.ts";

/** One way to do a thing. Measures it for one round. */
export type Variant = Readonly<{
  name: string;
  isPeer?: boolean;
  note?: string;
  measure(round: number): Promise<Figures> | Figures;
}>;

/**
 * Measures the variants in turn, each round beginning with another one (A B C, B C A, …), so that a busy moment of the
 * computer affects all of them and nobody always follows the same one.
 */
export async function measureInTurns(variants: readonly Variant[], rounds: number): Promise<Row[]> {
  const rows = variants.map(({ name, isPeer = false, note = null }): Row => ({ name, isPeer, note, rounds: [] }));
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < variants.length; turn++) {
      const index = (round + turn) % variants.length;
      const figures = await variants[index]?.measure(round);
      if (figures !== undefined) rows[index]?.rounds.push(figures);
    }
  }
  return rows;
}

// The clock costs some 50 ns, which would be much of a read in process if it were asked for each.
const timedOneIn = 16;

/** Calls `act` with a rising count for as long as the round lasts, and times one call in 16. */
export function measureLoop(roundMs: number, act: (count: number) => void): Figures {
  const tookMs: number[] = [];
  const startMs = performance.now();
  let count = 0;
  let nowMs = startMs;
  while (nowMs - startMs < roundMs) {
    for (const end = count + timedOneIn - 1; count < end; count++) act(count);
    const beforeMs = performance.now();
    act(count++);
    nowMs = performance.now();
    tookMs.push(nowMs - beforeMs);
  }
  return { perSecond: (count / (nowMs - startMs)) * 1000, ...latenciesOf(tookMs) };
}

/** The quantiles of single durations. */
export function latenciesOf(tookMs: readonly number[]): Figures {
  const at = quantilesOf(tookMs);
  return { p50Ms: at(0.5), p99Ms: at(0.99), p999Ms: at(0.999) };
}
