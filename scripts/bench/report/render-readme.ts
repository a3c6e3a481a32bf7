import { renderNumber } from "./render-table.ts";
import type { Report, Row } from "./report.ts";
import { ratioOf, spreadOf } from "./statistics.ts";

/** Rows of the report that the README shows: the section, the row, and the row to compare it with. */
const shown: readonly (readonly [section: string, row: string, words: string, baseline: string])[] = [
  ["reads", "the app's reader", "point read in the process, one thread", "bare better-sqlite3"],
  ["http", "GET one", "point read over HTTP", "Fastify hello world"],
  ["http", "GET one", "the same request", "PocketBase: GET one"],
  ["http", "create at commit", "create at `commit` over HTTP", "PocketBase: create"],
  ["durability", "bucket, 256 clients, store 20 ms away", "create at `bucket`, 256 clients, store 20 ms away", ""],
];

/** The README's table of figures. Rows that the report does not have are left out. */
export function renderReadmeTable({ sections, rig, mode, startedAt }: Report): string {
  const find = (section: string, row: string): Row | undefined =>
    sections.find(({ id }) => id === section)?.rows.find(({ name }) => name === row);
  const lines = shown.flatMap(([section, name, words, baselineName]) => {
    const row = find(section, name);
    const spread = row === undefined ? null : spreadOf(row, "perSecond");
    if (row === undefined || spread === null) return [];
    const p99 = spreadOf(row, "p99Ms");
    const baseline = find(section, baselineName);
    const ratio = baseline === undefined ? null : ratioOf(row, baseline, "perSecond");
    const compared =
      ratio === null
        ? ""
        : `${ratio.median.toFixed(2)} of ${baselineName} (${ratio.least.toFixed(2)} to ${ratio.most.toFixed(2)})`;
    return [
      `| ${words} | ${renderNumber(spread.median)} | ${p99 === null ? "" : renderNumber(p99.median)} | ${compared} |`,
    ];
  });
  return [
    `| ${rig.processor}, ${rig.cores} cores shared with the load generator, ${startedAt.slice(0, 10)}, ${mode} run | a second | p99 ms | compared, in the same rounds |`,
    "| --- | ---: | ---: | --- |",
    ...lines,
  ].join("\n");
}
