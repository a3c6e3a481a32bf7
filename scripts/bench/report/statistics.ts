import { type Spread, toSpread } from "../../../app/load/spread.ts";
import type { MetricName, Row } from "./report.ts";

/** Sorts the values once. The function that it gives takes a share: below its value lies that share of them. */
export function quantilesOf(values: readonly number[]): (share: number) => number {
  const sorted = Float64Array.from(values).toSorted();
  return (share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

/** One metric of a row over its rounds. Null when the row does not have it. */
export function spreadOf(row: Row, metric: MetricName): Spread | null {
  return toSpread(knownOf(row.rounds.map((figures) => figures[metric])));
}

/**
 * A row against another one: the ratio of the medians, and the least and the most ratio within one round, in which both
 * met the same machine.
 */
export function ratioOf(row: Row, baseline: Row, metric: MetricName): Spread | null {
  const own = spreadOf(row, metric);
  const other = spreadOf(baseline, metric);
  const paired = toSpread(
    knownOf(row.rounds.map((figures, round) => divide(figures[metric], baseline.rounds[round]?.[metric]))),
  );
  if (own === null || other === null || paired === null) return null;
  return { ...paired, median: own.median / other.median };
}

function divide(dividend: number | undefined, divisor: number | undefined): number | undefined {
  return dividend === undefined || divisor === undefined ? undefined : dividend / divisor;
}

function knownOf(values: readonly (number | undefined)[]): number[] {
  return values.filter((value) => value !== undefined).filter(Number.isFinite);
}
