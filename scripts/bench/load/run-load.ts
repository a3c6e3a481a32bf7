import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { Type } from "typebox";
import { Value } from "typebox/value";

import { within } from "../../../app/cli/wait-for.ts";
import { findOnPath } from "../../build/find-on-path.ts";
import type { Leftovers } from "../../local/leftovers.ts";
import { type Command, startProcessGroup } from "../../local/process-group.ts";
import type { Figures } from "../report/report.ts";
import type { Load } from "./load.ts";
import { renderWrkScript } from "./wrk-script.ts";

type Measured = Readonly<{ figures: Figures; requests: number }>;
type Place = Readonly<{ directory: string; leftovers: Leftovers }>;

// For the answers that are still awaited at the end.
const endLimitMs = 60_000;
let count = 0;

/**
 * Sends a load from a process of its own: by wrk, where it is installed, and otherwise, or for what wrk cannot do, by
 * ours. Throws when an answer says that the server refused, or when a connection broke: a bench of
 * refusals would be fast.
 */
export async function runLoad(load: Load, place: Place): Promise<Measured> {
  const [wrk] = load.perSecond === null && !load.isStrict ? findOnPath("wrk", process.env["PATH"] ?? "") : [];
  const name = join(place.directory, `load-${(count += 1)}`);
  const output = await runProgram(wrk === undefined ? writeOwn(load, name) : writeWrk(wrk, load, name), {
    ...place,
    logFile: `${name}.log`,
    limitMs: load.durationMs + endLimitMs,
  });
  return wrk === undefined ? readOwn(output) : readWrk(output, load.pipelining);
}

function writeOwn(load: Load, name: string): Command {
  writeFileSync(`${name}.json`, JSON.stringify(load));
  return { file: process.execPath, words: [join(import.meta.dirname, "load-program.ts"), `${name}.json`] };
}

function writeWrk(file: string, load: Load, name: string): Command {
  writeFileSync(`${name}.lua`, renderWrkScript(load));
  const seconds = Math.max(1, Math.round(load.durationMs / 1000));
  const words = ["-t1", `-c${load.connections}`, `-d${seconds}s`, "--timeout", "30s", "-s", `${name}.lua`];
  return { file, words: [...words, `http://127.0.0.1:${load.port}`] };
}

type Run = Place & { logFile: string; limitMs: number };

async function runProgram(command: Command, { limitMs, ...surroundings }: Run): Promise<string> {
  const program = startProcessGroup(command, { ...surroundings, environment: {} });
  try {
    const { code } = await within("a round of the load generator", limitMs, program.exited);
    const output = readFileSync(surroundings.logFile, "utf8");
    if (code === 0) return output;
    throw new Error(`the load generator ended with ${code}; its last words:\n${output.slice(-1000)}`);
  } finally {
    program.signal("SIGKILL");
  }
}

const OwnOutput = Type.Object({
  requests: Type.Number(),
  figures: Type.Record(Type.String(), Type.Number()),
  refusals: Type.Array(Type.Tuple([Type.String(), Type.Number()])),
});

function readOwn(output: string): Measured {
  const { figures, requests, refusals } = Value.Parse(OwnOutput, JSON.parse(output));
  refuseRefusals(refusals.map(([what, times]) => `${times} requests were ${what}`));
  return { figures, requests };
}

const WrkOutput = Type.Object({
  requests: Type.Number(),
  us: Type.Number(),
  p50: Type.Number(),
  p99: Type.Number(),
  p999: Type.Number(),
  refused: Type.Number(),
  broken: Type.Number(),
});

function readWrk(output: string, pipelining: number): Measured {
  const last = output.trimEnd().split("\n").at(-1) ?? "";
  const { requests, us, p50, p99, p999, refused, broken } = Value.Parse(WrkOutput, JSON.parse(last));
  refuseRefusals([
    ...(refused > 0 ? [`${refused} of ${requests} requests were refused`] : []),
    ...(broken > 0 ? [`${broken} connections broke`] : []),
  ]);
  const perSecond = (requests / us) * 1e6;
  // wrk 4.1 answers 0 for high quantiles of a pipeline.
  if (pipelining > 1) return { figures: { perSecond }, requests };
  const latencies = { p50Ms: p50 / 1000, p99Ms: p99 / 1000, p999Ms: p999 / 1000 };
  return { figures: { perSecond, ...latencies }, requests };
}

function refuseRefusals(refusals: readonly string[]): void {
  if (refusals.length > 0) throw new Error(`under the load, ${refusals.join(", ")}: there is nothing to compare`);
}
