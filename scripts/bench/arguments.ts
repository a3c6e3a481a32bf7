import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

import { type CommandLine, verbExitCodes } from "../../app/cli/command-line.ts";
import { checkChoice, flag, readFlags, readValue, text, UsageError } from "../../app/cli/flags.ts";
import { parseDurationMs, parseWholeNumber } from "../../app/cli/quantity.ts";
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
  output: text("PATH", "the directory of the report: report.json, README.md and charts; .bench without it"),
  publish: flag("the report goes to docs/bench, and its main figures into the README"),
  json: flag("the whole report on stdout, too; the tables then go to stderr"),
} as const;

export const benchCommand: CommandLine<BenchOptions> = {
  name: "bench",
  about: "Measures reads, requests and writes on this computer, beside peers, and writes one report with charts.",
  flags,
  examples: ["--quick", "--rows in-process,http --rounds 3"],
  exitCodes: verbExitCodes,
  readArguments,
};

/** Reads the command line of `bench`. Throws UsageError, naming the flag, on anything that is not understood. */
function readArguments(words: readonly string[]): BenchOptions {
  const { quick, publish, json, ...values } = readFlags(words, flags);
  const rounds = readValue("rounds", values.rounds, (given) => parseWholeNumber(given, 1000)) ?? (quick ? 3 : 5);
  const roundMs = readValue("round-time", values["round-time"], parseDurationMs) ?? (quick ? 1000 : 2000);
  if (rounds < 1) throw new UsageError("--rounds: there must be one at least");
  if (roundMs < 1) throw new UsageError("--round-time: it must be 1ms at least");
  if (publish && values.output !== undefined)
    throw new UsageError("--output: --publish names the directory, so one of the two");
  return Object.freeze({
    pace: { isQuick: quick, rounds, roundMs },
    areas: chooseAreas(values.rows),
    directory: resolve(values.directory ?? tmpdir()),
    output: resolve(values.output ?? (publish ? join(root, "docs/bench") : unpublished)),
    publish,
    json,
  });
}

function chooseAreas(rows: string | undefined): Area[] {
  if (rows === undefined) return areas.filter((area) => area.onlyNamed === undefined);
  const chosen = rows.split(",").map((name) => name.trim());
  for (const name of chosen) checkChoice("rows", name, names);
  return areas.filter(({ name }) => chosen.includes(name));
}
