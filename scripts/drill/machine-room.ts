import { type ActName, actNames } from "./arguments.ts";
import { bringUp, type ServingMachine } from "./boot-scene.ts";
import { repeatCutOff, writeToBucket } from "./bucket-scene.ts";
import { compareWithLedger, type Loss } from "./compare-scene.ts";
import { type Disaster, freeze, kill } from "./disaster.ts";
import { type Fence, wakeUp } from "./fence-scene.ts";
import { inspectInside } from "./inspect-scene.ts";
import { fillRows, writeMixedLoad, writeWithoutBucket } from "./load-scene.ts";
import type { Load } from "./load.ts";
import { type Comeback, splitComeback } from "./machine-recovery.ts";
import { makeVolume, ServerMachine, type Volume } from "./server-machine.ts";
import type { ServerStage } from "./server-stage.ts";

/** One disaster of the machine room, and what came of it. */
export type Act = Readonly<{ act: ActName; comeback: Comeback; firstBucketWriteMs: number; loss: Loss }>;

/** What the machine room found. */
export type RoomFindings = Readonly<{ acts: readonly Act[]; fence: Fence | null; certificates: number }>;

type Serving = ServingMachine<ServerMachine>;

/** A whole machine loses both disks; loses its power only; is rebuilt; freezes, is replaced, and wakes up again. */
export async function rehearseMachines(stage: ServerStage): Promise<RoomFindings> {
  const chosen = new Set<ActName>(stage.options.act === null ? actNames : [stage.options.act]);
  const acts: Act[] = [];
  let fence: Fence | null = null;
  await using machines = new AsyncDisposableStack();
  let current = machines.use(await bootServer(stage, "a", makeVolume(stage.site.directory)));
  await inspectInside(stage, current);
  await fillRows(stage, current);
  for (let time = 1; chosen.has("lost") && time <= stage.options.times; time += 1) {
    stage.transcript.heading("Both disks are lost: power cut, and nothing but the bucket is left");
    current = machines.use(await loseBoth(stage, current, { acts, name: time === 1 ? "b" : `b${time}` }));
  }
  if (chosen.has("kept")) {
    stage.transcript.heading("The power fails, and comes back; disks and volume are kept");
    current = machines.use(await losePower(stage, current, acts));
  }
  if (chosen.has("rebuild")) {
    stage.transcript.heading("The server is rebuilt: another number, another root disk, the same volume");
    current = machines.use(await rebuild(stage, current, acts));
  }
  if (chosen.has("frozen")) {
    stage.transcript.heading("The machine freezes, another one takes over, and it wakes up again");
    fence = await freezeAndWake(stage, current, acts);
  }
  return { acts, fence, certificates: stage.acme.countOrders() };
}

function bootServer(stage: ServerStage, name: string, volume: Volume): Promise<Serving> {
  const step = `machine ${name.toUpperCase()} boots`;
  return bringUp(stage, step, () => ServerMachine.switchOn(name, stage.site, volume));
}

type Replacement = Readonly<{ acts: Act[]; name: string }>;

async function loseBoth(stage: ServerStage, before: Serving, { acts, name }: Replacement): Promise<Serving> {
  const load = await writeMixedLoad(stage, before);
  await writeWithoutBucket(stage, load);
  const death = await kill(stage, before, load);
  const next = await bootServer(stage, name, makeVolume(stage.site.directory));
  acts.push(await judgeAct(stage, "lost", { next, load, disaster: death }));
  return next;
}

async function losePower(stage: ServerStage, before: Serving, acts: Act[]): Promise<Serving> {
  const load = await writeMixedLoad(stage, before);
  const { machine } = before;
  const atMs = await machine.cutPower();
  await stage.transcript.step(
    `the power of machine ${machine.name.toUpperCase()} is cut`,
    () => load.stop(),
    () => `${load.unfinished.length} keyed writes cut off`,
  );
  const disaster = { atMs, acknowledged: stage.ledger.count().acknowledged };
  const step = `machine ${machine.name.toUpperCase()} boots again`;
  const next = await bringUp(stage, step, async () => {
    await machine.server.powerOn();
    return machine;
  });
  acts.push(await judgeAct(stage, "kept", { next, load, disaster }));
  return next;
}

async function rebuild(stage: ServerStage, before: Serving, acts: Act[]): Promise<Serving> {
  const load = await writeMixedLoad(stage, before);
  const { machine } = before;
  const atMs = performance.now();
  await stage.transcript.step(
    `machine ${machine.name.toUpperCase()} is shut down, its server deleted`,
    async () => {
      await machine.server.powerDown();
      await machine.delete();
      await load.stop();
    },
    () => `in order, under load; ${load.unfinished.length} keyed writes cut off`,
  );
  const disaster = { atMs, acknowledged: stage.ledger.count().acknowledged };
  const next = await bootServer(stage, "c", machine.volume);
  acts.push(await judgeAct(stage, "rebuild", { next, load, disaster }));
  return next;
}

async function freezeAndWake(stage: ServerStage, before: Serving, acts: Act[]): Promise<Fence> {
  const load = await writeMixedLoad(stage, before);
  const frost = await freeze(stage, before, load);
  await using next = await bootServer(stage, "d", makeVolume(stage.site.directory));
  const comeback = await splitComeback(next, frost.atMs);
  const firstAtMs = await writeToBucket(stage, next, "D acknowledges the first bucket write");
  const fence = await wakeUp(stage, before, load);
  await before.machine.delete();
  await repeatCutOff(stage, next, load.unfinished);
  await writeToBucket(stage, next, "D still acknowledges bucket writes");
  const loss = await compareWithLedger(stage, next, frost);
  acts.push({ act: "frozen", comeback, firstBucketWriteMs: Math.round(firstAtMs - frost.atMs), loss });
  return fence;
}

type Aftermath = Readonly<{ next: Serving; load: Load; disaster: Disaster }>;

async function judgeAct(stage: ServerStage, act: ActName, { next, load, disaster }: Aftermath): Promise<Act> {
  const name = next.machine.name.toUpperCase();
  const firstAtMs = await writeToBucket(stage, next, `${name} acknowledges the first bucket write`);
  const comeback = await splitComeback(next, disaster.atMs);
  await repeatCutOff(stage, next, load.unfinished);
  const loss = await compareWithLedger(stage, next, disaster);
  return { act, comeback, firstBucketWriteMs: Math.round(firstAtMs - disaster.atMs), loss };
}
