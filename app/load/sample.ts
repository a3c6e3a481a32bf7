import { cpus } from "node:os";
import { performance } from "node:perf_hooks";

import type { LocalDurability } from "../database/write-outcome.ts";

/** The time of a thread or of all cores, since it began. */
export type BusyTime = Readonly<{ busyMs: number; idleMs: number }>;

/**
 * The counters at one moment. All but `waiting` count from the start, so that any two samples tell of the time between
 * them.
 */
export type Sample = Readonly<{
  atMs: number;
  /** The thread that answers requests. */
  http: BusyTime;
  /** The thread that writes. It works synchronously, so it is busy also while it waits for the disk. */
  writer: BusyTime & Readonly<{ cpuMs: number }>;
  /** All cores of the machine, whatever runs there. */
  machine: BusyTime;
  writes: Readonly<Record<LocalDurability, number>>;
  /** Writes without an answer at this moment. */
  waiting: number;
  /** For how long a report ran or was about to, and how many were ended by a limit. */
  reports: Readonly<{ runningMs: number; ended: number }>;
  slowReadings: Readonly<{ count: number; heldMs: number }>;
}>;

/** The time of a thread, as its event loop counts it. */
export function readThreadTime(thread: { performance: Pick<typeof performance, "eventLoopUtilization"> }): BusyTime {
  const { active, idle } = thread.performance.eventLoopUtilization();
  return { busyMs: active, idleMs: idle };
}

/** The time of all cores together. */
export function readMachineTime(): BusyTime {
  let busyMs = 0;
  let idleMs = 0;
  for (const { times } of cpus()) {
    busyMs += times.user + times.nice + times.sys + times.irq;
    idleMs += times.idle;
  }
  return { busyMs, idleMs };
}
