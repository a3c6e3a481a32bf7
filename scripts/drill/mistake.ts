import { setTimeout as sleep } from "node:timers/promises";

import { renderSeconds } from "../../app/cli/quantity.ts";
import type { Transcript } from "../../app/cli/transcript.ts";
import { openDatabase } from "../../app/database/open-database.ts";
import { bootMachine, type ServingMachine } from "./boot-scene.ts";
import { nameOf, readFacts } from "./facts.ts";
import type { Ledger } from "./ledger.ts";
import { fillDatabase, writeMixedLoad } from "./load-scene.ts";
import type { Facts } from "./report.ts";
import type { Stage } from "./stage.ts";

/** What is in a database: the SHA-256 of each row's content, and its id, by its name. */
type Content = ReadonlyMap<string, string>;

/** A return to an earlier state: how long nothing was served, and the rows that differ from what was there then. */
type Return = Readonly<{ outageMs: number; rows: number; differing: readonly string[] }>;

export type MistakeFindings = Readonly<{ deleted: number; restored: Return; undone: Return; restoredAgain: Return }>;

/** Litestream looks at the database once a second: so long after the last write its state of then is the whole of it. */
const quietMs = 2_000;
const readyLimitMs = 600_000;
const exampleLimit = 10;

/** Somebody deletes rows without a where; the machine goes back to the moment before, and forward again. */
export async function rehearseMistake(stage: Stage): Promise<MistakeFindings> {
  const { transcript } = stage;
  transcript.heading("Somebody deletes without a where, and others go on writing");
  await using a = await bootMachine(stage, "a");
  await fillDatabase(stage, a);
  await writeAndStop(stage, a, "load-before");
  const then = contentOf(stage.ledger);
  await sleep(quietMs);
  const moment = new Date().toISOString();
  const deleted = await transcript.step(
    "the mistake",
    async () => deleteEverything(a.machine.databasePath),
    (rows) => `${rows} rows deleted, right after ${moment}`,
  );
  await writeAndStop(stage, a, "load-after");
  const before = readContent(a.machine.databasePath);

  transcript.heading("Back to the moment before the mistake, as a new epoch");
  const restored = await goBack(stage, a, {
    name: "back to before the mistake",
    words: ["--at", moment],
    expected: then,
  });
  const undone = await goBack(stage, a, { name: "undone", words: ["--undo"], expected: before });
  const restoredAgain = await goBack(stage, a, { name: "and that undone, too", words: ["--undo"], expected: then });
  return { deleted, restored, undone, restoredAgain };
}

async function writeAndStop(stage: Stage, a: ServingMachine, name: string): Promise<void> {
  const load = await writeMixedLoad(stage, a, name);
  await load.stop();
}

/** As a person does at SQLite's shell, beside the app: every row of the product's tables. */
function deleteEverything(path: string): number {
  const db = openDatabase(path, "writer");
  try {
    db.pragma("foreign_keys = off");
    const tables = db
      .prepare<[], string>(
        "select name from sqlite_schema where type = 'table' and substr(name, 1, 1) <> '_' and name not like 'sqlite%'",
      )
      .pluck()
      .all();
    return tables.reduce((rows, table) => rows + db.prepare(`delete from "${table}"`).run().changes, 0);
  } finally {
    db.close();
  }
}

type Aim = Readonly<{ name: string; words: readonly string[]; expected: Content }>;

async function goBack(
  { transcript }: Stage,
  { machine }: ServingMachine,
  { name, words, expected }: Aim,
): Promise<Return> {
  const beganAtMs = performance.now();
  const readyAtMs = await transcript.step(
    name,
    async () => {
      await machine.carryOutStopped(["restore", ...words, "--yes"]);
      return machine.waitUntilReady(readyLimitMs);
    },
    () => `restore ${words.join(" ")}`,
  );
  const outageMs = Math.round(readyAtMs - beganAtMs);
  return transcript.step(
    "every row is compared with that moment",
    async () => ({ outageMs, ...compare(expected, readContent(machine.databasePath)) }),
    ({ rows, differing }) => `${rows} rows, ${differing.length} differ`,
  );
}

function compare(expected: Content, found: Content): { rows: number; differing: string[] } {
  const names = new Set([...expected.keys(), ...found.keys()]);
  return { rows: found.size, differing: [...names].filter((name) => expected.get(name) !== found.get(name)) };
}

/** What the ledger says that everybody was told. Throws when an answer is missing: then nobody knows what to expect. */
function contentOf(ledger: Ledger): Content {
  const { unknown } = ledger.count();
  if (unknown > 0) throw new Error(`${unknown} writes had no answer, although nobody disturbed them`);
  const acknowledged = [...ledger.entries()].filter(({ state }) => state === "acknowledged");
  return new Map(acknowledged.map((entry) => [nameOf(entry), `${entry.sha256} ${entry.id}`]));
}

function readContent(path: string): Content {
  return new Map([...readFacts(path)].map((fact) => [nameOf(fact), `${fact.sha256} ${fact.id}`]));
}

/** Judges the findings: `ok` only when every return brought exactly the rows of then. */
export function reportMistake(findings: MistakeFindings, { options, versions, durationMs }: Facts) {
  const { deleted, ...returns } = findings;
  const failures = Object.entries(returns).flatMap(([name, { differing }]) =>
    differing.length === 0
      ? []
      : [`${name}: ${differing.length} rows differ, as ${differing.slice(0, exampleLimit).join(", ")}`],
  );
  if (deleted === 0) failures.push("the mistake deleted nothing, so nothing was tried");
  return {
    ok: failures.length === 0,
    ...findings,
    seed: options.seed,
    failures,
    durationMs: Math.round(durationMs),
    versions,
  };
}

/** Prints how long nothing was served, and what is in doubt. */
export function printMistake(report: ReturnType<typeof reportMistake>, transcript: Transcript): void {
  const { restored, undone, restoredAgain } = report;
  const times = [restored, undone, restoredAgain].map(({ outageMs }) => renderSeconds(outageMs));
  transcript.heading(
    `BACK in ${times[0]}, forward again in ${times[1]}, and back in ${times[2]}: from the stop to the first 200 on /ready`,
  );
  for (const failure of report.failures) transcript.check("FAIL", failure, { evidence: "" });
}
