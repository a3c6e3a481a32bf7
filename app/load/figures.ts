import { type Static, Type } from "typebox";

import type { BusyTime, Sample } from "./sample.ts";

const strict = { additionalProperties: false };

const level = (description: string) =>
  Type.Object(
    { mean: Type.Number(), most: Type.Number({ description: "of the time between two samples" }) },
    { ...strict, description },
  );

/** What a window of samples says. Shares are from 0 to 1. */
export const Figures = Type.Object(
  {
    seconds: Type.Integer({ description: "how long the window is; 900 at most" }),
    httpThread: level("the share of the time in which the thread that answers requests was busy"),
    machineCpu: level("the share of the time of all cores in which they were busy, whatever ran there"),
    writerThread: level("the share of the time in which the thread that writes was busy, the disk included"),
    writerCpu: level("the share of the time in which it was on a processor"),
    writesPerSecond: level("writes that were committed"),
    diskShare: Type.Number({ description: "the share of them that asked for disk or bucket" }),
    writesWaiting: Type.Number({ description: "writes without an answer, on average" }),
    reportsRunning: Type.Number({ description: "the share of the time in which a report ran or was about to" }),
    reportsEnded: Type.Integer({ description: "reports that a limit ended" }),
    slowReadings: Type.Integer({ description: "statements of 100 ms or more on the thread that answers requests" }),
    slowReadingsHeld: Type.Number({ description: "the share of the time in which one of them ran" }),
  },
  strict,
);
export type Figures = Static<typeof Figures>;

/** Computes the figures of the time between the first and the last sample. */
export function computeFigures(samples: readonly Sample[]): Figures {
  const [first = unmeasured] = samples;
  const last = samples.at(-1) ?? first;
  const elapsedMs = last.atMs - first.atMs;
  const disk = last.writes.disk - first.writes.disk;
  return {
    seconds: Math.round(elapsedMs / 1000),
    httpThread: levelOf(samples, (from, to) => busyShare(from.http, to.http)),
    machineCpu: levelOf(samples, (from, to) => busyShare(from.machine, to.machine)),
    writerThread: levelOf(samples, (from, to) => busyShare(from.writer, to.writer)),
    writerCpu: levelOf(samples, (from, to) => cpuShare(from.writer, to.writer)),
    writesPerSecond: levelOf(
      samples,
      (from, to) => 1000 * share(countWrites(to) - countWrites(from), spanOf(from, to)),
    ),
    diskShare: round(share(disk, countWrites(last) - countWrites(first))),
    writesWaiting: round(
      share(
        samples.reduce((sum, { waiting }) => sum + waiting, 0),
        samples.length,
      ),
    ),
    reportsRunning: round(share(last.reports.runningMs - first.reports.runningMs, elapsedMs)),
    reportsEnded: last.reports.ended - first.reports.ended,
    slowReadings: last.slowReadings.count - first.slowReadings.count,
    slowReadingsHeld: round(share(last.slowReadings.heldMs - first.slowReadings.heldMs, elapsedMs)),
  };
}

const noTime: BusyTime = { busyMs: 0, idleMs: 0 };
const unmeasured: Sample = {
  atMs: 0,
  http: noTime,
  writer: { ...noTime, cpuMs: 0 },
  machine: noTime,
  writes: { commit: 0, disk: 0 },
  waiting: 0,
  reports: { runningMs: 0, ended: 0 },
  slowReadings: { count: 0, heldMs: 0 },
};

function levelOf(
  samples: readonly Sample[],
  measure: (from: Sample, to: Sample) => number,
): { mean: number; most: number } {
  const between = (from: Sample | undefined, to: Sample | undefined): number =>
    from === undefined || to === undefined ? 0 : measure(from, to);
  const steps = samples.slice(1).map((to, index) => between(samples[index], to));
  return { mean: round(between(samples[0], samples.at(-1))), most: round(Math.max(0, ...steps)) };
}

function spanOf(from: Sample, to: Sample): number {
  return to.atMs - from.atMs;
}

function countWrites({ writes }: Sample): number {
  return writes.commit + writes.disk;
}

/** A thread that has ended counts nothing any more. */
function busyShare(from: BusyTime, to: BusyTime): number {
  const busyMs = Math.max(0, to.busyMs - from.busyMs);
  return share(busyMs, busyMs + Math.max(0, to.idleMs - from.idleMs));
}

/** The processor's time is read a sample late. */
function cpuShare(from: Sample["writer"], to: Sample["writer"]): number {
  const wholeMs = to.busyMs + to.idleMs - from.busyMs - from.idleMs;
  return Math.min(1, share(Math.max(0, to.cpuMs - from.cpuMs), wholeMs));
}

function share(part: number, whole: number): number {
  return whole > 0 ? part / whole : 0;
}

/** What is shown is what is judged. */
function round(value: number): number {
  return Math.round(value * 10_000) / 10_000;
}
