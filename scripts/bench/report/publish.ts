import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { Refused } from "../../../app/cli/command-line.ts";
import { renderChart } from "./render-chart.ts";
import { chartName, renderMarkdown } from "./render-markdown.ts";
import { renderReadmeTable } from "./render-readme.ts";
import type { Report } from "./report.ts";

/** Writes the report as report.json, README.md and charts. Replaces what an earlier run left there. */
export function writeReport(report: Report, directory: string): void {
  mkdirSync(directory, { recursive: true });
  for (const name of readdirSync(directory)) if (name.endsWith(".svg")) rmSync(join(directory, name));
  writeFileSync(join(directory, "report.json"), `${JSON.stringify(report, null, 1)}\n`);
  writeFileSync(join(directory, "README.md"), renderMarkdown(report));
  for (const section of report.sections) {
    const chart = renderChart(section);
    if (chart !== null) writeFileSync(join(directory, chartName(section)), chart);
  }
}

const marked = /(<!-- bench: [^\n]*-->\n)([^]*?)(<!-- end of bench -->)/;

/** Throws Refused when a README has no place for the table of figures. */
export function requireMarks(path: string): void {
  if (!marked.test(readFileSync(path, "utf8")))
    throw new Refused(
      `${path} has no place for the table: put the lines "<!-- bench: its figures -->" and "<!-- end of bench -->" there, and repeat with --publish`,
    );
}

/** Puts the table of figures into a README, between its marks. */
export function updateReadme(report: Report, path: string): void {
  const table = renderReadmeTable(report);
  const text = readFileSync(path, "utf8");
  writeFileSync(
    path,
    text.replace(marked, (_, begin: string, _old: string, end: string) => `${begin}${table}\n${end}`),
  );
}

/** What stands between the marks of a README. Null when it has none. */
export function readReadmeTable(text: string): string | null {
  return marked.exec(text)?.[2]?.trimEnd() ?? null;
}
