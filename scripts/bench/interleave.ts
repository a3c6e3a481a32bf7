/** One way to do a thing: gives its figure for one round, greater is better. */
export type Variant = { name: string; measure(): Promise<Figures> | Figures };
export type Figures = { perSecond: number; p50Ms?: number; p99Ms?: number };
export type Comparison = { title: string; rows: (Figures & { name: string; ratio: number })[] };

/**
 * Measures the variants in turn (A B A B …), so that a busy moment of the machine hits all of them, and takes medians.
 */
export async function compareVariants(
  title: string,
  variants: readonly Variant[],
  rounds: number,
): Promise<Comparison> {
  const measured = new Map<Variant, Figures[]>(variants.map((variant) => [variant, []]));
  for (let round = 0; round < rounds; round++) {
    for (const [variant, figures] of measured) figures.push(await variant.measure());
  }
  const medians = [...measured.values()].map(takeMedians);
  const base = medians[0]?.perSecond ?? Number.NaN;
  const rows = variants.map(({ name }, index) => {
    const figures = medians[index] ?? { perSecond: Number.NaN };
    return Object.assign(figures, { name, ratio: figures.perSecond / base });
  });
  return { title, rows };
}

/** The value below which this share of the values lies. */
export function takeQuantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((left, right) => left - right);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

function takeMedians(figures: readonly Figures[]): Figures {
  const median = (pick: (one: Figures) => number | undefined): number =>
    takeQuantile(
      figures.map(pick).filter((value) => value !== undefined),
      0.5,
    );
  const perSecond = median((one) => one.perSecond);
  if (figures.every((one) => one.p50Ms === undefined)) return { perSecond };
  return { perSecond, p50Ms: median((one) => one.p50Ms), p99Ms: median((one) => one.p99Ms) };
}

/** Calls `act` with a rising count for as long as the round lasts. */
export function measureLoop(roundMs: number, act: (count: number) => void): Figures {
  const startMs = performance.now();
  let count = 0;
  while (performance.now() - startMs < roundMs) {
    for (const end = count + 100; count < end; count++) act(count);
  }
  return { perSecond: (count / (performance.now() - startMs)) * 1000 };
}

const nameWidth = 28;
const figureWidth = 12;

/** The comparison as an aligned table; the ratio is against its first row. */
export function renderComparison({ title, rows }: Comparison): string {
  const head = ["PER SECOND", "RATIO", "P50 MS", "P99 MS"].map((text) => text.padStart(figureWidth)).join("");
  const lines = rows.map(({ name, perSecond, ratio, p50Ms, p99Ms }) => {
    const figures = [
      Math.round(perSecond).toLocaleString("en"),
      ratio.toFixed(2),
      p50Ms?.toFixed(2),
      p99Ms?.toFixed(2),
    ];
    return name.padEnd(nameWidth) + figures.map((text) => (text ?? "").padStart(figureWidth)).join("");
  });
  return [`\n${title}`, "VARIANT".padEnd(nameWidth) + head, ...lines].join("\n");
}
