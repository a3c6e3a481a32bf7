import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

import { type CommandLine, verbExitCodes } from "../../app/cli/command-line.ts";
import { checkChoice, flag, readFlags, readValue, text, UsageError } from "../../app/cli/flags.ts";
import { parseWholeNumber } from "../../app/cli/quantity.ts";
import { parseRoundMs, usualRoundMs } from "../../app/verbs/calibrate.ts";
import { devDataDirectory } from "../dev/place.ts";
import { areas } from "./areas.ts";
import type { Area, Pace } from "./bench-run.ts";

export type BenchOptions = Readonly<{
  pace: Pace;
  areas: readonly Area[];
  directory: string;
  /** Where the report goes. */
  output: string;
  publish: boolean;
  json: boolean;
  /** Measures the bounds of this machine on the directory instead, with rounds of this length. */
  calibration: Readonly<{ roundMs: number }> | null;
}>;

const root = join(import.meta.dirname, "../..");
/** Where a report goes that is not for the public. */
export const unpublished = join(root, ".bench");
const names = areas.map(({ name }) => name);
const onlyNamed = areas.flatMap(({ name, onlyNamed: why }) => (why === undefined ? [] : [`${name} (${why})`]));

const flags = {
  quick: flag("fewer rows, three short rounds: below three minutes; without it, below forty"),
  rows: text(
    "NAMES",
    `measure only these, with commas between them: ${names.join(", ")}; ${onlyNamed.join(" and ")} only when named`,
  ),
  rounds: text("N", "how often every row is measured, in turns; 5 without it, or 3 with --quick"),
  "round-time": text(
    "TIME",
    "how long a round takes, where wrk measures in whole seconds; 2s without it, or 1s with --quick",
  ),
  directory: text("PATH", `where the databases lie, on a real disk; ${tmpdir()} without it`),
  calibrate: flag(
    "measure nothing but what this machine can do at most, in ten seconds, and store it for the app whose data directory --directory names; that of npm run dev without it",
  ),
  output: text("PATH", "the directory of the report: report.json, README.md and charts; .bench without it"),
  publish: flag("the report goes to docs/bench, and its main figures into the README"),
  json: flag("the whole report on stdout, too; the tables then go to stderr"),
} as const;

export const benchCommand: CommandLine<BenchOptions> = {
  name: "bench",
  about: "Measures reads, requests and writes on this computer, beside peers, and writes one report with charts.",
  flags,
  examples: ["--quick", "--rows in-process,http --rounds 3", "--calibrate"],
  exitCodes: verbExitCodes,
  readArguments,
};

/** Reads the command line of `bench`. Throws UsageError, naming the flag, on anything that is not understood. */
function readArguments(words: readonly string[]): BenchOptions {
  const { quick, publish, json, calibrate, ...values } = readFlags(words, flags);
  const rounds = readValue("rounds", values.rounds, (given) => parseWholeNumber(given, 1000)) ?? (quick ? 3 : 5);
  const given = parseRoundMs(values["round-time"]);
  const roundMs = given ?? (quick ? 1000 : 2000);
  if (rounds < 1) throw new UsageError("--rounds: there must be one at least");
  if (publish && values.output !== undefined)
    throw new UsageError("--output: --publish names the directory, so one of the two");
  if (calibrate) refuseBeside({ quick, publish, ...values });
  return Object.freeze({
    pace: { isQuick: quick, rounds, roundMs },
    areas: chooseAreas(values.rows),
    directory: resolve(values.directory ?? (calibrate ? devDataDirectory : tmpdir())),
    output: resolve(values.output ?? (publish ? join(root, "docs/bench") : unpublished)),
    publish,
    json,
    calibration: calibrate ? { roundMs: given ?? usualRoundMs } : null,
  });
}

/** A calibration has no report. */
function refuseBeside(values: Readonly<Record<string, string | boolean | undefined>>): void {
  const other = ["quick", "publish", "rows", "rounds", "output"].find((name) => Boolean(values[name]));
  if (other !== undefined) throw new UsageError(`--${other}: --calibrate makes no report, so one of the two`);
}

function chooseAreas(rows: string | undefined): Area[] {
  if (rows === undefined) return areas.filter((area) => area.onlyNamed === undefined);
  const chosen = rows.split(",").map((name) => name.trim());
  for (const name of chosen) checkChoice("rows", name, names);
  return areas.filter(({ name }) => chosen.includes(name));
}
