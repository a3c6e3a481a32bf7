import { expect, test } from "vitest";

import { readReadmeTable } from "../../scripts/bench/report/publish.ts";
import { renderChart } from "../../scripts/bench/report/render-chart.ts";
import { chartName, renderMarkdown } from "../../scripts/bench/report/render-markdown.ts";
import { renderReadmeTable } from "../../scripts/bench/report/render-readme.ts";
import { readReport } from "../../scripts/bench/report/report.ts";
import { readText } from "./documents.ts";
import { readme } from "./readme.ts";

// The quick start itself is typed in test/engine/readme.test.ts, the first request in test/service.
test("the README says what one gets before it shows what it prints, in fewer than 150 lines", () => {
  expect(readme.trimEnd().split("\n").length).toBeLessThan(150);
  expect(readme.indexOf("What you get:")).toBeLessThan(readme.indexOf("Lifeboat drill, seed"));
});

test("the README's figures, and the page and the charts of the bench, are those of its report", () => {
  const report = readReport(readText("docs/bench/report.json"));
  expect(readReadmeTable(readme)).toBe(renderReadmeTable(report));
  expect(renderReadmeTable(report).split("\n").length).toBeGreaterThan(5);
  expect(readText("docs/bench/README.md")).toBe(renderMarkdown(report));
  for (const section of report.sections) {
    const chart = renderChart(section);
    if (chart !== null) expect(readText(`docs/bench/${chartName(section)}`)).toBe(chart);
  }
});
