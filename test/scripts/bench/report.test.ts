import { expect, test } from "vitest";

import { takeMedian } from "../../../app/load/spread.ts";
import { renderChart } from "../../../scripts/bench/report/render-chart.ts";
import { renderMarkdown } from "../../../scripts/bench/report/render-markdown.ts";
import { renderReadmeTable } from "../../../scripts/bench/report/render-readme.ts";
import { renderCells, renderNumber } from "../../../scripts/bench/report/render-table.ts";
import type { Report, Row, Section } from "../../../scripts/bench/report/report.ts";
import { latenciesOf, measureInTurns } from "../../../scripts/bench/report/rounds.ts";
import { ratioOf, spreadOf } from "../../../scripts/bench/report/statistics.ts";

const row = (name: string, perSecond: number[], isPeer = false): Row => ({
  name,
  isPeer,
  note: null,
  rounds: perSecond.map((each) => ({ perSecond: each, p99Ms: 1000 / each })),
});
const hello = row("Fastify hello world", [400, 100, 200], true);
const one = row("GET one", [100, 50, 80]);
const section: Section = {
  id: "http",
  title: 'Requests < "fast"',
  about: "Of both.",
  metric: "perSecond",
  baseline: hello.name,
  rows: [hello, one],
  text: null,
};
const report: Report = {
  format: 1,
  mode: "quick",
  startedAt: "2026-11-27T12:00:00.000Z",
  tookSeconds: 90,
  rounds: 3,
  roundMs: 1000,
  rig: {
    processor: "A processor",
    cores: 2,
    memoryGb: 8,
    kernel: "Linux 6",
    fileSystem: "ext4",
    loadBefore: 1,
    loadAfter: 2,
  },
  versions: { node: "24.21.0" },
  sections: [section],
  omissions: [{ what: "btrfs", why: "that needs root" }],
};

test("a median is the middle, and of an even number the mean of the two in the middle", () => {
  expect(takeMedian([9, 1, 5])).toBe(5);
  expect(takeMedian([9, 1, 5, 6])).toBe(5.5);
  expect(takeMedian([])).toBeNaN();
  expect(spreadOf(hello, "perSecond")).toEqual({ median: 200, least: 100, most: 400 });
  expect(spreadOf(hello, "cpuUs")).toBe(null);
});

test("a ratio is that of the medians, and its spread that within one round", () => {
  expect(ratioOf(one, hello, "perSecond")).toEqual({ median: 0.4, least: 0.25, most: 0.5 });
  expect(ratioOf(one, row("empty", []), "perSecond")).toBe(null);
});

test("quantiles are of single durations", () => {
  const thousand = Array.from({ length: 1000 }, (_, index) => index + 1);
  expect(latenciesOf(thousand)).toEqual({ p50Ms: 501, p99Ms: 991, p999Ms: 1000 });
});

test("each round begins with another variant, and all are measured as often", async () => {
  const order: string[] = [];
  const variants = ["a", "b", "c"].map((name) => ({
    name,
    measure: (round: number) => {
      order.push(name);
      return { perSecond: round };
    },
  }));
  const rows = await measureInTurns(variants, 3);
  expect(order.join("")).toBe("abcbcacab");
  expect(rows.map(({ rounds }) => rounds)).toEqual(
    variants.map(() => [{ perSecond: 0 }, { perSecond: 1 }, { perSecond: 2 }]),
  );
});

test("a table has the median, the spread and the ratio of each row", () => {
  expect(renderCells(section)).toEqual([
    ["", "a second", "least to most", "p99 ms", "of Fastify hello world"],
    ["Fastify hello world", "200", "100 to 400", "5.00", "1"],
    ["GET one", "80.0", "50.0 to 100", "12.5", "0.40 (0.25 to 0.50)"],
  ]);
  expect([0, 14_023.4, 100, 54.34, 2.0749, 0.01449].map(renderNumber)).toEqual([
    "0",
    "14,023",
    "100",
    "54.3",
    "2.07",
    "0.014",
  ]);
});

test("a chart has a bar for each row, as long as its median, and a line for its spread", () => {
  const chart = renderChart(section) ?? "";
  const bars = [...chart.matchAll(/<rect class="(own|peer)"[^>]* width="([\d.]+)"/g)];
  expect(bars.map(([, kind]) => kind)).toEqual(["peer", "own"]);
  const [peer = 0, own = 0] = bars.map(([, , width]) => Number(width));
  expect(own / peer).toBeCloseTo(80 / 200, 2);
  expect(chart.match(/class="spread"/g)).toHaveLength(2);
  expect(chart).toContain("Requests &lt; &quot;fast&quot;");
  expect(chart).not.toMatch(/NaN|Infinity|undefined/);
});

test("bars that a linear scale would hide are drawn on a logarithmic one, and it says so", () => {
  const wide = renderChart({ ...section, rows: [row("fast", [50_000]), row("slow", [5])] }) ?? "";
  expect(wide).toContain("logarithmic");
  const widths = [...wide.matchAll(/<rect class="own"[^>]* width="([\d.]+)"/g)].map(([, width]) => Number(width));
  expect(Math.min(...widths)).toBeGreaterThan(20);
  expect(renderChart({ ...section, rows: [] })).toBe(null);
});

test("the page says what was measured, where, with what, and what was not", () => {
  const page = renderMarkdown(report);
  expect(page).toContain("| GET one | 80.0 | 50.0 to 100 | 12.5 | 0.40 (0.25 to 0.50) |");
  expect(page).toContain("A processor, 2 cores, 8 GB of memory, Linux 6, databases on ext4");
  expect(page).toContain("**Not measured**: btrfs, because that needs root.");
  expect(page).toContain("\n\nOf both. 3 rounds.\n\n![");
  expect(page).toContain("](http.svg)");
});

test("the README shows the main rows, and leaves out what the report does not have", () => {
  const lines = renderReadmeTable(report).split("\n");
  expect(lines.slice(2)).toEqual([
    "| point read over HTTP | 80.0 | 12.5 | 0.40 of Fastify hello world (0.25 to 0.50) |",
    "| the same request | 80.0 | 12.5 |  |",
  ]);
});
