import { statSync } from "node:fs";
import { join } from "node:path";

import { Refused } from "../app/cli/command-line.ts";
import { calibrateDirectory } from "../app/verbs/calibrate.ts";
import { type BenchOptions, benchCommand, unpublished } from "./bench/arguments.ts";
import { BenchRun } from "./bench/bench-run.ts";
import { requireMarks, updateReadme, writeReport } from "./bench/report/publish.ts";
import { readLoad, readRig, readVersions, requireDisk } from "./bench/report/rig.ts";
import { BenchSite } from "./bench/servers/bench-site.ts";
import { runVerb } from "./cli/run-verb.ts";
import { Leftovers } from "./local/leftovers.ts";

const readme = join(import.meta.dirname, "../README.md");

const threadUrl = new URL("../app/calibration-thread.ts", import.meta.url);

await runVerb(benchCommand, process.argv.slice(2), ({ calibration, ...options }) =>
  calibration === null ? bench(options) : calibrateDirectory({ ...options, ...calibration, threadUrl }),
);

async function bench({
  pace,
  areas,
  directory,
  output,
  publish,
  json,
}: Omit<BenchOptions, "calibration">): Promise<void> {
  const startMs = performance.now();
  const say = json ? console.error : console.log;
  if (!statSync(directory, { throwIfNoEntry: false })?.isDirectory())
    throw new Refused(`${directory} is no directory; make it, or name another with --directory`);
  requireDisk(
    directory,
    areas.reduce((sum, area) => sum + area.roomBytes(pace), 0),
  );
  if (publish) requireMarks(readme);
  const startedAt = new Date().toISOString();
  const rig = readRig(directory);
  const leftovers = new Leftovers();
  leftovers.clearOnExit();
  const { report, failures } = await measure();
  const place = publish && failures.length > 0 ? unpublished : output;
  writeReport(report, place);
  if (publish && failures.length === 0) updateReadme(report, readme);
  if (json) console.log(JSON.stringify(report));
  say(`\n${Math.round(report.tookSeconds)} s in all. The report: ${join(place, "README.md")}`);
  if (failures.length > 0) throw new Error(`these rows failed: ${failures.join("; ")}`);

  async function measure() {
    await using site = new BenchSite(directory, leftovers);
    const run = new BenchRun(pace, site, say);
    for (const area of areas) await run.measure(area);
    const tookSeconds = (performance.now() - startMs) / 1000;
    const rigAfter = { ...rig, loadAfter: readLoad() };
    const made = run.toReport({ startedAt, tookSeconds, rig: rigAfter, versions: readVersions() });
    return { report: made, failures: run.failures };
  }
}
