import { tmpdir } from "node:os";

import { flag, readFlags, readValue, text, UsageError } from "../cli/flags.ts";
import { parseDurationMs, parseWholeNumber } from "../cli/quantity.ts";
import { type CommandLine, verbExitCodes } from "../cli/run-verb.ts";

export type BenchOptions = Readonly<{
  rounds: number;
  roundMs: number;
  directory: string;
  json: boolean;
  longReader: boolean;
  restarts: boolean;
}>;

const flags = {
  rounds: text("N", "how often every variant is measured, in turns; 5 without it"),
  "round-time": text("TIME", "how long a round takes; 1s without it"),
  directory: text("PATH", `where the databases lie, on a real disk; ${tmpdir()} without it`),
  json: flag("all figures as one object on stdout; the tables go to stderr in any case"),
  "long-reader": flag("what a reader that stays open does to writes instead; eight minutes and 2.5 GB of space"),
  restarts: flag(
    "requests while the app restarts, and how many a second otherwise, behind Caddy and without it instead; four minutes",
  ),
} as const;

export const benchCommand: CommandLine<BenchOptions> = {
  name: "bench",
  about: "Measures writes by durability, point reads, the cost of our own layers and restarts, on this computer.",
  flags,
  examples: ["--rounds 3 --round-time 500ms"],
  exitCodes: verbExitCodes,
  readArguments,
};

/** Reads the command line of `bench`. Throws UsageError, naming the flag, on anything that is not understood. */
function readArguments(words: readonly string[]): BenchOptions {
  const values = readFlags(words, flags);
  const rounds = readValue("rounds", values.rounds, (given) => parseWholeNumber(given, 1000)) ?? 5;
  const roundMs = readValue("round-time", values["round-time"], parseDurationMs) ?? 1000;
  if (rounds < 1) throw new UsageError("--rounds: there must be one at least");
  if (roundMs < 1) throw new UsageError("--round-time: it must be 1ms at least");
  const { directory = tmpdir(), json, "long-reader": longReader, restarts } = values;
  if (longReader && restarts) throw new UsageError("--restarts: one of it and --long-reader at a time");
  const instead = longReader ? "--long-reader" : "--restarts";
  for (const other of ["rounds", "round-time", "json"] as const)
    if ((longReader || restarts) && words.some((word) => word.split("=")[0] === `--${other}`))
      throw new UsageError(`--${other}: ${instead} does not know it`);
  return Object.freeze({ rounds, roundMs, directory, json, longReader, restarts });
}
