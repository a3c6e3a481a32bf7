/** The middle of the rounds, and how far they lie apart. */
export type Spread = Readonly<{ median: number; least: number; most: number }>;

/** The spread of what was measured in turns. Null without a value. */
export function toSpread(values: readonly number[]): Spread | null {
  if (values.length === 0) return null;
  return { median: takeMedian(values), least: Math.min(...values), most: Math.max(...values) };
}

/** The median, of an even number of values the mean of the two in the middle. */
export function takeMedian(values: readonly number[]): number {
  const sorted = values.toSorted((left, right) => left - right);
  const upper = sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
  const lower = sorted[Math.ceil(sorted.length / 2) - 1] ?? Number.NaN;
  return (lower + upper) / 2;
}
