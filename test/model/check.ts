// A model of boot ("decide, then act") and of acknowledgements, driven by the project's own decideBoot and searched
// exhaustively. It knows head with compare-and-swap, epochs as files by TXID, volumes (page cache, fsynced part, mark,
// staged files), every step of boot, the three durabilities, "sync, then check", the fence, clean stops; and as faults
// what `hazards` in turn.ts lists. Not modelled: sentinel, keys, time-outs, compaction, quarantine, torn files,
// epoch.json, partial page-cache loss, clocks.
//
// `npm test` runs small bounds. Larger ones:
//   node test/model/check.ts --machines=2 --commits=1 --epochs=3 --faults=1 [--levels=disk,bucket] [--without="clean
// stop,base deleted"]     [--lives=1] [--mutation=content] [--all] [--seconds=240] [--states=12000000] --lives=N starts
// after N machines came up undisturbed, one after the other. A mutation stops at the first violation unless --all is
// given. Prints states, transitions, whether that was all within the bounds, the table's answers, and the shortest
// trace to each broken invariant; exit code 1 when one broke. Sound and complete so far: machines/commits/epochs/faults
// 1/2/4/3 (327,744 states), 2/1/3/1 (291,308), 2/1/3/2 with levels disk,bucket and without clean stop and deletions
// (614,197).

import { parseArgs } from "node:util";

import { invariants } from "./invariants.ts";
import { mutations, sound } from "./mutations.ts";
import { searchStates, type SearchResult } from "./search.ts";
import { type Bounds, hazards, levels } from "./turn.ts";

const { values } = parseArgs({
  options: {
    machines: { type: "string", default: "1" },
    commits: { type: "string", default: "2" },
    epochs: { type: "string", default: "3" },
    faults: { type: "string", default: "2" },
    resumes: { type: "string", default: "1" },
    levels: { type: "string", default: levels.join(",") },
    without: { type: "string", default: "" },
    mutation: { type: "string" },
    seconds: { type: "string", default: "240" },
    lives: { type: "string", default: "0" },
    states: { type: "string", default: "12000000" },
    all: { type: "boolean", default: false },
  },
});

const result = searchStates({
  rules: { bounds: readBounds(), ...chooseMutant(values.mutation) },
  lives: readNumber("lives"),
  stopAtViolation: values.mutation !== undefined && !values.all,
  secondsLimit: readNumber("seconds"),
  statesLimit: readNumber("states"),
});
printResult(result);
process.exitCode = Object.keys(result.violations).length > 0 ? 1 : 0;

function readBounds(): Bounds {
  const without = readList(values.without, hazards);
  return {
    machines: readNumber("machines"),
    commits: readNumber("commits"),
    epochs: readNumber("epochs"),
    faults: readNumber("faults"),
    resumes: readNumber("resumes"),
    levels: readList(values.levels, levels),
    hazards: hazards.filter((hazard) => !without.includes(hazard)),
  };
}

function readNumber(
  name: "machines" | "commits" | "epochs" | "faults" | "resumes" | "lives" | "seconds" | "states",
): number {
  const number = Number(values[name]);
  if (Number.isSafeInteger(number) && number >= 0) return number;
  throw new Error(`--${name}=${values[name]} is not a whole number`);
}

function readList<Item extends string>(text: string, known: readonly Item[]): Item[] {
  const words = text.split(",").filter((word) => word !== "");
  const unknown = words.find((word) => !known.some((item) => item === word));
  if (unknown !== undefined) throw new Error(`"${unknown}" is none of: ${known.join(", ")}`);
  return known.filter((item) => words.includes(item));
}

function chooseMutant(name: string | undefined): typeof sound {
  if (name === undefined) return sound;
  const found = Object.entries(mutations).find(([known]) => known === name);
  if (found === undefined) throw new Error(`--mutation=${name} is none of: ${Object.keys(mutations).join(", ")}`);
  return found[1];
}

function printResult({ states, transitions, complete, seconds, plans, violations }: SearchResult): void {
  console.log(
    `${states} states, ${transitions} transitions, ${complete ? "complete" : "stopped early"}, ${seconds.toFixed(1)} s`,
  );
  console.log(`plans: ${plans.join("; ")}`);
  for (const found of Object.values(violations)) {
    console.log(`\n${found.invariant} "${invariants[found.invariant]}" breaks in ${found.count} states: ${found.text}`);
    for (const label of found.trace) console.log(`   ${label}`);
  }
}
