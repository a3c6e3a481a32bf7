import type { Comparison } from "./interleave.ts";

const nameWidth = 28;
const figureWidth = 12;

/** The comparison as an aligned table. Ratios are relative to its first row. */
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
