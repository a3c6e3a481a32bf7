import { type CommandLine, Refused, verbExitCodes } from "../cli/command-line.ts";
import { flag, readFlags, readValue, text, UsageError } from "../cli/flags.ts";
import { readMachineConfig } from "../cli/machine-config.ts";
import { parseDurationMs } from "../cli/quantity.ts";
import { renderTable } from "../cli/render-table.ts";
import { type Calibration, calibrate } from "../load/calibrate.ts";
import type { Spread } from "../load/spread.ts";
import { DirectoryInUse } from "../replica/lock.ts";

export type CalibrateOptions = Readonly<{ roundMs: number; json: boolean }>;

/** How long a round takes, unless somebody says. */
export const usualRoundMs = 600;

const flags = {
  "round-time": text("TIME", `how long one of the fifteen rounds takes; ${usualRoundMs}ms without it`),
  json: flag("what was measured as one JSON object"),
} as const;

export const calibrateCommand: CommandLine<CalibrateOptions> = {
  name: "calibrate",
  about:
    "Measures what the machine can do at most, in ten seconds, and stores it for its app. The app must be stopped meanwhile.",
  flags,
  examples: ["", "--json"],
  exitCodes: verbExitCodes,
  readArguments: (words) => {
    const { json, ...values } = readFlags(words, flags);
    return Object.freeze({ json, roundMs: parseRoundMs(values["round-time"]) ?? usualRoundMs });
  },
};

/** Reads the length of a round. Null without one. Throws UsageError. */
export function parseRoundMs(given: string | undefined): number | null {
  const roundMs = readValue("round-time", given, parseDurationMs);
  if (roundMs !== null && roundMs < 1) throw new UsageError("--round-time: it must be 1ms at least");
  return roundMs;
}

/** Measures on the data directory of this machine. */
export async function calibrateMachine(options: CalibrateOptions, threadUrl: URL): Promise<void> {
  const { dataDirectory: directory } = readMachineConfig().machine.files;
  await calibrateDirectory({ ...options, directory, threadUrl });
}

/** Measures on a data directory, stores what it finds there, and prints it. Throws Refused while an app serves. */
export async function calibrateDirectory({ json, ...place }: Calibration & { json: boolean }): Promise<void> {
  const bounds = await calibrate(place).catch((error: unknown) => {
    if (!(error instanceof DirectoryInUse)) throw error;
    throw new Refused(
      `an app serves from ${place.directory}, and the figures would be wrong; stop it first, and start it afterwards: on a machine systemctl stop lifeboat.target, and systemctl start lifeboat.target`,
      { cause: error },
    );
  });
  if (json) return void process.stdout.write(`${JSON.stringify(bounds)}\n`);
  const { writesPerSecond, pointReadsPerSecond, machine, rounds } = bounds;
  const rows = [
    ["writes at commit, of one row each", writesPerSecond.commit],
    ["writes at disk, of one row each", writesPerSecond.disk],
    ["point reads of one thread", pointReadsPerSecond],
  ] as const;
  const isNoisy = rows.some(([, { least, most }]) => most > 1.5 * least);
  const lines = [
    renderTable([
      ["AT MOST", "A SECOND", `LEAST TO MOST OF ${rounds} ROUNDS`],
      ...rows.map(([name, spread]) => renderRow(name, spread)),
    ]),
    "",
    `${machine.cores} cores of ${machine.processor}`,
    ...(isNoisy ? ["The rounds lie far apart: something else runs here. Measure again when it is quiet."] : []),
    `Stored in ${place.directory}; the app reads it when it starts, and GET /load shows it.`,
  ];
  process.stdout.write(`${lines.join("\n")}\n`);
}

function show(value: number): string {
  return Math.round(value).toLocaleString("en");
}

function renderRow(name: string, { median, least, most }: Spread): string[] {
  return [name, show(median), `${show(least)} to ${show(most)}`];
}
