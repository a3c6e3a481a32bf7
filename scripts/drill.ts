import { bootMachine, splitRecovery } from "./drill/boot-scene.ts";
import { repeatCutOff, writeToBucket } from "./drill/bucket-scene.ts";
import { compareWithLedger } from "./drill/compare-scene.ts";
import { compareDeliveries, openAudience } from "./drill/delivery-scene.ts";
import { freeze, kill } from "./drill/disaster.ts";
import { wakeUp } from "./drill/fence-scene.ts";
import { fillDatabase, writeMixedLoad, writeWithoutBucket } from "./drill/load-scene.ts";
import { rehearseMachines } from "./drill/machine-room.ts";
import { printMistake, rehearseMistake, reportMistake } from "./drill/mistake.ts";
import { type Findings, printReport, reportFindings } from "./drill/report.ts";
import { printRoom, reportRoom } from "./drill/room-report.ts";
import { makeRoom, runDrill } from "./drill/run-drill.ts";
import { openServerStage } from "./drill/server-stage.ts";
import { openStage, type Stage } from "./drill/stage.ts";

if (import.meta.main)
  await runDrill(process.argv.slice(2), {
    process: makeRoom({ openStage, rehearse, report: reportFindings, print: printReport }),
    mistake: makeRoom({ openStage, rehearse: rehearseMistake, report: reportMistake, print: printMistake }),
    machine: makeRoom({
      openStage: openServerStage,
      rehearse: rehearseMachines,
      report: reportRoom,
      print: printRoom,
    }),
  });

/** The disaster, twice: a machine dies with its disk; a machine freezes, is replaced, and wakes up again. */
export async function rehearse(stage: Stage): Promise<Findings> {
  stage.transcript.heading("Act one: the machine dies without warning, and its disk with it");
  await using a = await bootMachine(stage, "a");
  await fillDatabase(stage, a);
  await using audience = await openAudience(stage, a);
  const loadOnA = await writeMixedLoad(stage, a);
  await writeWithoutBucket(stage, loadOnA);
  const death = await kill(stage, a, loadOnA);

  await using b = await bootMachine(stage, "b");
  const firstBucketWriteAtMs = await writeToBucket(stage, b, "B acknowledges the first bucket write");
  const steps = await splitRecovery(b, death.atMs);
  await repeatCutOff(stage, b, loadOnA.unfinished);
  const loss = await compareWithLedger(stage, b, death);

  stage.transcript.heading("Act two: the machine freezes, another one takes over, and it wakes up again");
  const loadOnB = await writeMixedLoad(stage, b);
  const frost = await freeze(stage, b, loadOnB);
  await using c = await bootMachine(stage, "c");
  await writeToBucket(stage, c, "C acknowledges the first bucket write");
  const fence = await wakeUp(stage, b, loadOnB);
  await repeatCutOff(stage, c, loadOnB.unfinished);
  await writeToBucket(stage, c, "C still acknowledges bucket writes");
  const mixedLoss = await compareWithLedger(stage, c, frost);

  if (audience !== null) stage.transcript.heading("Act three: what the outside was told while machines died");
  const deliveries = audience === null ? null : await compareDeliveries(stage, c, audience);

  return {
    rtoMs: Math.round(b.readyAtMs - death.atMs),
    steps,
    firstBucketWriteMs: Math.round(firstBucketWriteAtMs - death.atMs),
    loss,
    mixedRtoMs: Math.round(c.readyAtMs - frost.atMs),
    mixedLoss,
    fence,
    deliveries,
  };
}
