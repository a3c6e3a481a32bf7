import { renderChart } from "./render-chart.ts";
import { renderCells } from "./render-table.ts";
import type { Report, Section } from "./report.ts";

/** The report as a page, with its charts as files beside it. */
export function renderMarkdown(report: Report): string {
  const { mode, rounds, roundMs, tookSeconds, rig, versions, sections, omissions } = report;
  const minutes = (tookSeconds / 60).toFixed(1);
  const command = mode === "quick" ? "npm run bench -- --quick" : "npm run bench";
  const versionList = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  return [
    "# What was measured",
    "",
    `Made by \`${command}\` on ${report.startedAt.slice(0, 10)} in ${minutes} minutes; do not edit. At most ${rounds} rounds of ${roundMs / 1000} s.`,
    "",
    `- **Rig**: ${rig.processor}, ${rig.cores} cores, ${rig.memoryGb} GB of memory, ${rig.kernel}, databases on ${rig.fileSystem}. Load average ${rig.loadBefore} before and ${rig.loadAfter} after. The load generator, every server and the store share these cores: trust ratios within a table more than figures.`,
    `- **Versions**: ${versionList.join(", ")}.`,
    "- **How**: the rows of a table are measured in turns, and each round begins with another row. A figure is the median of its rounds. A ratio is that of the medians, in brackets the least and the most within one round. Grey bars are other programs. [report.json](report.json) has every round.",
    ...omissions.map(({ what, why }) => `- **Not measured**: ${what}, because ${why}.`),
    "",
    ...sections.flatMap(renderPart),
  ].join("\n");
}

/** The name of a section's chart. */
export function chartName({ id }: Section): string {
  return `${id}.svg`;
}

function renderPart(section: Section): string[] {
  const [head = [], ...lines] = renderCells(section);
  const table = [head, head.map((_, column) => (column === 0 ? "---" : "---:")), ...lines].map(
    (cells) => `| ${cells.join(" | ")} |`,
  );
  const notes = section.rows.flatMap(({ name, note }) => (note === null ? [] : [`- ${name}: ${note}`]));
  return [
    `## ${section.title}`,
    "",
    [section.about, ...renderRounds(section)].join(" "),
    "",
    ...(renderChart(section) === null ? [] : [`![${section.title}](${chartName(section)})`, ""]),
    ...(lines.length === 0 ? [] : [...table, ""]),
    ...(notes.length === 0 ? [] : [...notes, ""]),
    ...(section.text === null ? [] : ["```", section.text.trim(), "```", ""]),
  ];
}

function renderRounds({ rows }: Section): string[] {
  const most = Math.max(0, ...rows.map(({ rounds }) => rounds.length));
  return most === 0 ? [] : [most === 1 ? "One round." : `${most} rounds.`];
}
