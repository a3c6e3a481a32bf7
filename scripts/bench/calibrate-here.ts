import { renderTable } from "../../app/cli/render-table.ts";
import { calibrate, scratchOf } from "../../app/load/calibrate.ts";
import type { Spread } from "../../app/load/spread.ts";
import { Leftovers } from "../local/leftovers.ts";
import type { BenchOptions } from "./arguments.ts";
import { renderNumber } from "./report/render-table.ts";

type Order = Pick<BenchOptions, "directory" | "json"> & { roundMs?: number };

/** Measures what this machine can do at most on a data directory, stores it there, and prints it. */
export async function calibrateHere({ directory, json, ...pace }: Order): Promise<void> {
  const leftovers = new Leftovers();
  leftovers.clearOnExit();
  const threadUrl = new URL("../../app/calibration-thread.ts", import.meta.url);
  const begin = () => leftovers.addPath(scratchOf(directory));
  const bounds = await calibrate({ directory, threadUrl, onBegin: begin, ...pace });
  if (json) return console.log(JSON.stringify(bounds));
  const { writesPerSecond, pointReadsPerSecond, machine, rounds } = bounds;
  const { commit, disk } = writesPerSecond;
  const rows = [
    ["AT MOST", "A SECOND", `LEAST TO MOST OF ${rounds} ROUNDS`],
    describe("writes at commit, of one row each", commit),
    describe("writes at disk, of one row each", disk),
    describe("point reads of one thread", pointReadsPerSecond),
  ];
  console.log(`${renderTable(rows)}\n\n${machine.cores} cores of ${machine.processor}`);
  if ([commit, disk, pointReadsPerSecond].some(({ least, most }) => most > 1.5 * least))
    console.log("The rounds lie far apart: something else runs here. Measure again when it is quiet.");
  console.log(`Stored in ${directory}; the app reads it when it starts, and GET /load shows it.`);
}

function describe(name: string, { median, least, most }: Spread): string[] {
  return [name, renderNumber(median), `${renderNumber(least)} to ${renderNumber(most)}`];
}
