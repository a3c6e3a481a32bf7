import { readFile } from "node:fs/promises";

import { Type } from "typebox";
import { Value } from "typebox/value";

import { Machine } from "./machine.ts";
import type { Stage } from "./stage.ts";

/** One part of the time from the disaster to the first 200 on /ready. */
export type RecoveryStep = Readonly<{ step: string; durationMs: number }>;

export type ServingMachine = Readonly<{ machine: Machine; readyAtMs: number }> & AsyncDisposable;

const BootReport = Type.Object({
  outcome: Type.String(),
  startedAt: Type.String(),
  epoch: Type.Union([Type.String(), Type.Null()]),
  content: Type.Union([Type.String(), Type.Null()]),
  steps: Type.Array(Type.Object({ step: Type.String(), durationMs: Type.Number() })),
});

// A restore takes as long as the data is big, so only a machine that says nothing for very long has failed.
const readyLimitMs = 600_000;

/** Starts a machine that knows only the bucket, and waits until it is ready. */
export async function bootMachine(stage: Stage, name: string): Promise<ServingMachine> {
  await using made = new AsyncDisposableStack();
  const switchOn = async () => {
    const machine = made.use(await Machine.switchOn(name, stage.site));
    stage.spotlight.machine = machine;
    const readyAtMs = await machine.waitUntilReady(readyLimitMs);
    return { machine, readyAtMs, report: await readBootReport(machine) };
  };
  const { machine, readyAtMs } = await stage.transcript.step(
    `machine ${name.toUpperCase()} boots from the bucket`,
    switchOn,
    ({ report }) => `${report.outcome} epoch ${report.epoch}, ${report.content}`,
  );
  const moved = made.move();
  return { machine, readyAtMs, [Symbol.asyncDispose]: () => moved.disposeAsync() };
}

/** Splits the time from the disaster to the first 200 on /ready, with the machine's own boot report. */
export async function splitRecovery(
  { machine, readyAtMs }: ServingMachine,
  disasterAtMs: number,
): Promise<RecoveryStep[]> {
  const report = await readBootReport(machine);
  const bootAtMs = machine.supervisor.startedAt("boot");
  const appAtMs = machine.supervisor.startedAt("app");
  const reportedAtMs = Date.parse(report.startedAt) - performance.timeOrigin;
  const reportedMs = report.steps.reduce((sum, { durationMs }) => sum + durationMs, 0);
  return [
    { step: "clear the old machine away", durationMs: bootAtMs - disasterAtMs },
    { step: "start boot", durationMs: reportedAtMs - bootAtMs },
    ...report.steps,
    { step: "report and end boot", durationMs: appAtMs - reportedAtMs - reportedMs },
    { step: "start the app and Litestream", durationMs: readyAtMs - appAtMs },
  ].map(({ step, durationMs }) => ({ step, durationMs: Math.max(0, Math.round(durationMs)) }));
}

async function readBootReport(machine: Machine) {
  return Value.Parse(BootReport, JSON.parse(await readFile(machine.bootReportPath, "utf8")));
}
