import { availableParallelism, cpus } from "node:os";

import { type Static, Type } from "typebox";

import { readOptionalFile, writeDurably } from "../durable-file.ts";
import { parseJson, ShapeError } from "../replica/parse-json.ts";

const strict = { additionalProperties: false };
// Shares of it are computed, so nothing may be 0.
const rate = Type.Number({ exclusiveMinimum: 0 });
const Spread = Type.Object({ median: rate, least: rate, most: rate }, strict);

/** What this machine can do at most, as `calibrate` has measured it. */
export const Bounds = Type.Object(
  {
    format: Type.Literal(1),
    measuredAt: Type.String(),
    machine: Type.Object({ processor: Type.String(), cores: Type.Integer() }, strict),
    versions: Type.Object({ node: Type.String(), sqlite: Type.String() }, strict),
    rounds: Type.Integer(),
    writesPerSecond: Type.Object({ commit: Spread, disk: Spread }, strict),
    pointReadsPerSecond: Spread,
  },
  strict,
);
export type Bounds = Static<typeof Bounds>;

/** The bounds, or why there are none. Both are null where nobody has measured them. */
export type KnownBounds = Readonly<{ bounds: Bounds | null; fault: string | null }>;

/** The machine whose bounds hold here. */
export function describeMachine(): Bounds["machine"] {
  return { processor: cpus()[0]?.model.trim() ?? "unknown processor", cores: availableParallelism() };
}

/** Reads the bounds. They hold no data, so a file that cannot be used is told, and nothing fails. */
export function readBounds(path: string, here = describeMachine()): KnownBounds {
  try {
    const text = readOptionalFile(path);
    if (text === null) return { bounds: null, fault: null };
    const bounds = parseJson(Bounds, text, path);
    const there = bounds.machine;
    if (there.processor === here.processor && there.cores === here.cores) return { bounds, fault: null };
    // The volume outlives its machine.
    const from = `${there.cores} cores of ${there.processor}`;
    return { bounds: null, fault: `${path} was measured on another machine (${from}); measure again` };
  } catch (error) {
    const cause = error instanceof Error ? error.message : String(error);
    const told = error instanceof ShapeError ? cause : `${path} cannot be read (${cause})`;
    return { bounds: null, fault: `${told}; delete it, or measure again` };
  }
}

/** Stores the bounds where the app of that directory finds them. */
export function writeBounds(path: string, bounds: Bounds): void {
  writeDurably(path, `${JSON.stringify(bounds, null, 2)}\n`);
}
