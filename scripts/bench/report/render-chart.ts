import type { Spread } from "../../../app/load/spread.ts";
import { renderNumber } from "./render-table.ts";
import { metrics, type Row, type Section } from "./report.ts";
import { spreadOf } from "./statistics.ts";

const width = 860;
const labelWidth = 300;
const valueWidth = 90;
const rowHeight = 26;
const barHeight = 15;
const top = 62;
const barsWidth = width - labelWidth - valueWidth;
// Beyond this span of values the short bars of a linear scale could not be told apart.
const logarithmicFrom = 100;

type Bar = Readonly<{ row: Row; spread: Spread }>;
type Scale = (value: number) => number;

/**
 * A section as an SVG picture: one bar for each row, as long as the median of the rounds, with a line from the least to
 * the most. Follows the reader's choice of light or dark. Null when there is nothing to draw.
 */
export function renderChart(section: Section): string | null {
  const bars = section.rows.flatMap((row) => {
    const spread = spreadOf(row, section.metric);
    return spread === null ? [] : [{ row, spread }];
  });
  if (bars.length === 0) return null;
  const { scale, isLogarithmic } = chooseScale(bars);
  const { head, isMoreBetter } = metrics[section.metric];
  const hint = `${head}, ${isMoreBetter ? "longer" : "shorter"} is better${isLogarithmic ? ", logarithmic" : ""}`;
  const height = top + bars.length * rowHeight + 12;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-label="${escapeText(section.title)}">`,
    `<style>${style}</style>`,
    `<rect class="ground" width="${width}" height="${height}" rx="8"/>`,
    `<text class="title" x="16" y="26">${escapeText(section.title)}</text>`,
    `<text class="hint" x="16" y="46">${escapeText(hint)}; thin line: least to most of the rounds</text>`,
    ...bars.map((bar, index) => renderBar(bar, top + index * rowHeight, scale)),
    "</svg>\n",
  ].join("\n");
}

const style = `
text { font: 13px system-ui, sans-serif; fill: #1f2328 } .title { font-weight: 600; font-size: 15px } .hint { fill: #59636e; font-size: 12px }
.ground { fill: #ffffff } .own { fill: #1f6feb } .peer { fill: #9aa4af } .spread { stroke: #1f2328; stroke-width: 1.5 } .value { font-variant-numeric: tabular-nums }
@media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .hint { fill: #9198a1 } .ground { fill: #0d1117 } .own { fill: #4493f8 } .peer { fill: #656c76 } .spread { stroke: #e6edf3 } }
`.trim();

function renderBar({ row, spread }: Bar, y: number, scale: Scale): string {
  const middle = y + rowHeight / 2;
  const end = labelWidth + scale(spread.median);
  const most = labelWidth + scale(spread.most);
  const name = `<text x="${labelWidth - 10}" y="${middle + 4}" text-anchor="end">${escapeText(row.name)}</text>`;
  const bar = `<rect class="${row.isPeer ? "peer" : "own"}" x="${labelWidth}" y="${middle - barHeight / 2}" width="${round(end - labelWidth)}" height="${barHeight}" rx="2"/>`;
  const line = `<path class="spread" d="M${round(labelWidth + scale(spread.least))} ${middle}H${round(most)}"/>`;
  const value = `<text class="value" x="${round(Math.max(end, most) + 8)}" y="${middle + 4}">${renderNumber(spread.median)}</text>`;
  return name + bar + (row.rounds.length > 1 ? line : "") + value;
}

function chooseScale(bars: readonly Bar[]): { scale: Scale; isLogarithmic: boolean } {
  const most = Math.max(...bars.map(({ spread }) => spread.most));
  const least = Math.min(...bars.map(({ spread }) => spread.least));
  if (most === 0 || least <= 0 || most / least < logarithmicFrom)
    return { scale: (value) => (most === 0 ? 0 : (value / most) * barsWidth), isLogarithmic: false };
  // The scale begins at a power of ten below the least, so that every bar has a length.
  const first = Math.floor(Math.log10(least / 2));
  const span = Math.log10(most) - first;
  return { scale: (value) => ((Math.log10(value) - first) / span) * barsWidth, isLogarithmic: true };
}

function round(pixels: number): string {
  return pixels.toFixed(1);
}

function escapeText(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}
