import { Type } from "typebox";
import { Value } from "typebox/value";

import type { DrillMachine } from "./drill-machine.ts";
import { Machine } from "./machine.ts";
import type { Scene, Stage } from "./stage.ts";

/** One part of the time from the disaster to the first 200 on /ready. */
export type RecoveryStep = Readonly<{ step: string; durationMs: number }>;

/** A machine that is ready, of whatever room. */
export type Serving<Kind extends DrillMachine = DrillMachine> = Readonly<{ machine: Kind; readyAtMs: number }>;
export type ServingMachine<Kind extends DrillMachine = Machine> = Serving<Kind> & AsyncDisposable;

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
export function bootMachine(stage: Stage, name: string): Promise<ServingMachine> {
  const step = `machine ${name.toUpperCase()} boots from the bucket`;
  return bringUp(stage, step, () => Machine.switchOn(name, stage.site));
}

/** Starts a machine in the given way, and waits until it is ready. */
export async function bringUp<Kind extends DrillMachine>(
  stage: Scene,
  step: string,
  switchOn: () => Promise<Kind>,
): Promise<ServingMachine<Kind>> {
  await using made = new AsyncDisposableStack();
  const waitUntilReady = async () => {
    const machine = made.use(await switchOn());
    stage.spotlight.machine = machine;
    const readyAtMs = await machine.waitUntilReady(readyLimitMs);
    return { machine, readyAtMs, report: await readBootReport(machine) };
  };
  const { machine, readyAtMs } = await stage.transcript.step(
    step,
    waitUntilReady,
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
  ].map(roundStep);
}

/** Two clocks may disagree by a little: no step takes less than nothing. */
export function roundStep({ step, durationMs }: RecoveryStep): RecoveryStep {
  return { step, durationMs: Math.max(0, Math.round(durationMs)) };
}

/** What boot said of itself. */
export async function readBootReport(machine: Pick<DrillMachine, "readBootReport">) {
  return Value.Parse(BootReport, JSON.parse(await machine.readBootReport()));
}
