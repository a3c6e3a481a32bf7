import { renderTable } from "../../../app/cli/render-table.ts";
import type { Spread } from "../../../app/load/spread.ts";
import { type MetricName, metricNames, metrics, type Row, type Section } from "./report.ts";
import { ratioOf, spreadOf } from "./statistics.ts";

/** A number for people, with about three digits: 14,023, 54.3, 2.07, 0.014. */
export function renderNumber(value: number): string {
  if (value >= 100 || value === 0) return Math.round(value).toLocaleString("en");
  if (value >= 10) return value.toFixed(1);
  return value >= 1 ? value.toFixed(2) : value.toFixed(3);
}

/** A ratio with its spread: "0.31 (0.29 to 0.33)". */
function renderRatio({ median, least, most }: Spread): string {
  return `${median.toFixed(2)} (${least.toFixed(2)} to ${most.toFixed(2)})`;
}

/** The metrics that a section has. */
function metricsOf({ rows }: Section): MetricName[] {
  return metricNames.filter((metric) => rows.some((row) => spreadOf(row, metric) !== null));
}

/** The cells of a section: a head, and a line for each row. The metric of the chart shows its spread, too. */
export function renderCells(section: Section): string[][] {
  const own = metricsOf(section);
  const baseline = section.rows.find(({ name }) => name === section.baseline);
  const compared = baseline === undefined ? [] : [`of ${baseline.name}`];
  const heads = own.flatMap((metric) =>
    metric === section.metric ? [metrics[metric].head, "least to most"] : [metrics[metric].head],
  );
  const lines = section.rows.map((row) => [
    row.name,
    ...own.flatMap((metric) => renderMetric(row, metric, metric === section.metric)),
    ...(baseline === undefined ? [] : [renderComparison(row, baseline, section.metric)]),
  ]);
  return [["", ...heads, ...compared], ...lines];
}

/** A section as aligned text, for a terminal. */
export function renderSection(section: Section): string {
  const notes = section.rows.flatMap(({ name, note }) => (note === null ? [] : [`  ${name}: ${note}`]));
  const [head = [], ...lines] = renderCells(section);
  const table = lines.length === 0 ? [] : [renderTable([head.map((text) => text.toUpperCase()), ...lines])];
  return ["", section.title, ...table, ...notes, ...(section.text === null ? [] : [section.text])].join("\n");
}

function renderMetric(row: Row, metric: MetricName, isMain: boolean): string[] {
  const spread = spreadOf(row, metric);
  if (spread === null) return isMain ? ["", ""] : [""];
  const median = renderNumber(spread.median);
  return isMain ? [median, `${renderNumber(spread.least)} to ${renderNumber(spread.most)}`] : [median];
}

function renderComparison(row: Row, baseline: Row, metric: MetricName): string {
  if (row === baseline) return "1";
  const ratio = ratioOf(row, baseline, metric);
  return ratio === null ? "" : renderRatio(ratio);
}
