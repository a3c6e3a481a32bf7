import { Writable } from "node:stream";

import { expect } from "vitest";

import { Transcript } from "../../app/cli/transcript.ts";
import { openDatabase } from "../../app/database/open-database.ts";
import { readArguments } from "../../scripts/drill/arguments.ts";
import { bootMachine } from "../../scripts/drill/boot-scene.ts";
import { writeToBucket } from "../../scripts/drill/bucket-scene.ts";
import { compareWithLedger } from "../../scripts/drill/compare-scene.ts";
import type { Comparison } from "../../scripts/drill/compare.ts";
import { kill } from "../../scripts/drill/disaster.ts";
import { writeMixedLoad } from "../../scripts/drill/load-scene.ts";
import type { Machine } from "../../scripts/drill/machine.ts";
import { openStage, type Stage } from "../../scripts/drill/stage.ts";
import { Leftovers } from "../../scripts/local/leftovers.ts";

/** A stage whose transcript nobody reads. */
export async function openQuietStage(): Promise<Stage & AsyncDisposable> {
  const output = new Writable({ write: (_chunk, _encoding, done) => done() });
  const transcript = new Transcript({ output, colour: false });
  return openStage({ options: readArguments(["--seed", "7"], {}), transcript, leftovers: new Leftovers() });
}

/** Kills a machine under load and compares what the next one holds, after a fault has been put in. */
export async function compareAfter(fault: {
  inBucket?: (stage: Stage) => Promise<void>;
  inDatabase?: (machine: Machine) => void;
}): Promise<Comparison> {
  await using stage = await openQuietStage();
  await using a = await bootMachine(stage, "a");
  const load = await writeMixedLoad(stage, a);
  const death = await kill(stage, a, load);
  await fault.inBucket?.(stage);
  await using b = await bootMachine(stage, "b");
  await writeToBucket(stage, b, "first");
  fault.inDatabase?.(b.machine);
  return (await compareWithLedger(stage, b, death)).comparison;
}

/** Changes one row of a machine's database without the app. */
export function change(sql: string): (machine: Machine) => void {
  return ({ databasePath }) => {
    const db = openDatabase(databasePath, "writer");
    db.pragma("foreign_keys = OFF");
    expect(db.prepare(sql).run().changes).toBe(1);
    db.close();
  };
}
