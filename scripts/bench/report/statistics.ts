import type { MetricName, Row } from "./report.ts";

/** The middle of the rounds, and how far they lie apart. */
export type Spread = Readonly<{ median: number; least: number; most: number }>;

/** Sorts the values once. The function that it gives takes a share: below its value lies that share of them. */
export function quantilesOf(values: readonly number[]): (share: number) => number {
  const sorted = Float64Array.from(values).toSorted();
  return (share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

/** The median, of an even number of values the mean of the two in the middle. */
export function takeMedian(values: readonly number[]): number {
  const sorted = values.toSorted((left, right) => left - right);
  const upper = sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
  const lower = sorted[Math.ceil(sorted.length / 2) - 1] ?? Number.NaN;
  return (lower + upper) / 2;
}

/** One metric of a row over its rounds. Null when the row does not have it. */
export function spreadOf(row: Row, metric: MetricName): Spread | null {
  return toSpread(row.rounds.map((figures) => figures[metric]));
}

/**
 * A row against another one: the ratio of the medians, and the least and the most ratio within one round, in which both
 * met the same machine.
 */
export function ratioOf(row: Row, baseline: Row, metric: MetricName): Spread | null {
  const own = spreadOf(row, metric);
  const other = spreadOf(baseline, metric);
  const paired = toSpread(
    row.rounds.map((figures, round) => divide(figures[metric], baseline.rounds[round]?.[metric])),
  );
  if (own === null || other === null || paired === null) return null;
  return { ...paired, median: own.median / other.median };
}

function divide(dividend: number | undefined, divisor: number | undefined): number | undefined {
  return dividend === undefined || divisor === undefined ? undefined : dividend / divisor;
}

function toSpread(values: readonly (number | undefined)[]): Spread | null {
  const known = values.filter((value) => value !== undefined).filter(Number.isFinite);
  if (known.length === 0) return null;
  return { median: takeMedian(known), least: Math.min(...known), most: Math.max(...known) };
}
