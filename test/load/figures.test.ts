import { expect, test } from "vitest";

import { computeFigures } from "../../app/load/figures.ts";
import type { Sample } from "../../app/load/sample.ts";

const none: Sample = {
  atMs: 0,
  http: { busyMs: 0, idleMs: 0 },
  writer: { busyMs: 0, idleMs: 0, cpuMs: 0 },
  machine: { busyMs: 0, idleMs: 0 },
  writes: { commit: 0, disk: 0 },
  waiting: 0,
  reports: { runningMs: 0, ended: 0 },
  slowReadings: { count: 0, heldMs: 0 },
};

test("figures are the difference of the first and the last sample, and the most between two of them", () => {
  const figures = computeFigures([
    { ...none, atMs: 1_000, http: { busyMs: 500, idleMs: 500 }, writes: { commit: 10, disk: 10 } },
    {
      ...none,
      atMs: 6_000,
      http: { busyMs: 4_500, idleMs: 1_500 },
      writes: { commit: 10, disk: 510 },
      writer: { busyMs: 2_000, idleMs: 500, cpuMs: 500 },
      waiting: 9,
      reports: { runningMs: 1_000, ended: 1 },
      slowReadings: { count: 2, heldMs: 400 },
    },
    {
      ...none,
      atMs: 11_000,
      http: { busyMs: 5_500, idleMs: 5_500 },
      writer: { busyMs: 4_000, idleMs: 6_000, cpuMs: 1_000 },
      writes: { commit: 510, disk: 510 },
      reports: { runningMs: 1_000, ended: 1 },
      slowReadings: { count: 2, heldMs: 400 },
    },
  ]);
  expect(figures).toEqual({
    seconds: 10,
    httpThread: { mean: 0.5, most: 0.8 },
    machineCpu: { mean: 0, most: 0 },
    writerThread: { mean: 0.4, most: 0.8 },
    writerCpu: { mean: 0.1, most: 0.2 },
    writesPerSecond: { mean: 100, most: 100 },
    diskShare: 0.5,
    writesWaiting: 3,
    reportsRunning: 0.1,
    reportsEnded: 1,
    slowReadings: 2,
    slowReadingsHeld: 0.04,
  });
});

test("nothing measured, one sample, and a thread that has ended are no load and no fault", () => {
  const zero = computeFigures([]);
  expect(
    new Set(Object.values(zero).flatMap((value) => (typeof value === "number" ? [value] : Object.values(value)))),
  ).toEqual(new Set([0]));
  expect(computeFigures([{ ...none, atMs: 5 }])).toEqual(zero);
  const ended = computeFigures([
    { ...none, writer: { busyMs: 900, idleMs: 100, cpuMs: 800 } },
    { ...none, atMs: 5_000 },
  ]);
  expect([ended.writerThread, ended.writerCpu]).toEqual([
    { mean: 0, most: 0 },
    { mean: 0, most: 0 },
  ]);
});
