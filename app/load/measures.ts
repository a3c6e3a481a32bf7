import type { Bounds } from "./bounds.ts";
import type { Figures } from "./figures.ts";

/** One of the values by which a trigger is judged, and its two edges (ADR 48). */
export type Measure = Readonly<{
  name: string;
  value: number;
  near: number;
  reached: number;
  /** Of the time, or of a bound: a mean that needs a window of some length. */
  isShare: boolean;
  show: (value: number) => string;
  /** The middle of a sentence. */
  fact: (value: string) => string;
  next: string;
}>;

type Measures = readonly [Measure, ...Measure[]];

/** The measures of each trigger. Those by `bounds` are left out where nobody has measured them. */
export function listMeasures(figures: Figures, bounds: Bounds | null) {
  return { servers: listOfServers(figures), writes: listOfWrites(figures, bounds), reports: listOfReports(figures) };
}

const guide = 'docs/guide/cloud.md, "When to leave"';
const percent = { isShare: true, show: (value: number) => `${Math.round(value * 1000) / 10} %` };

function listOfServers({ httpThread, machineCpu }: Figures): Measures {
  return [
    {
      ...percent,
      name: "http-thread",
      value: httpThread.mean,
      near: 0.5,
      reached: 0.7,
      fact: (value) => `the thread that answers requests was busy ${value} of the time`,
      next: `Make slow readings reports, and take a server type with faster cores; when that does not help, several servers: ${guide}.`,
    },
    {
      ...percent,
      name: "machine-cpu",
      value: machineCpu.mean,
      near: 0.6,
      reached: 0.8,
      fact: (value) => `the machine's cores were busy ${value} of the time`,
      next: `Look what else runs there, and take a larger server type; when that does not help, several servers: ${guide}.`,
    },
  ];
}

function listOfWrites(figures: Figures, bounds: Bounds | null): Measures {
  const { writerCpu, writesWaiting, writesPerSecond } = figures;
  const areMany = writesWaiting > fewWait;
  const cpu: Measure = {
    ...percent,
    name: "writer-cpu",
    value: areMany ? writerCpu.mean : 0,
    near: 0.5,
    reached: 0.7,
    fact: (value) =>
      areMany
        ? `the writer worked ${value} of the time, and more than ${fewWait} writes waited on average`
        : `no more than ${fewWait} writes waited on average, so the writer's work (${percent.show(writerCpu.mean)}) does not count`,
    next: `Write less in each command, and in fewer commands; when that does not help, PostgreSQL: ${guide}.`,
  };
  if (bounds === null) return [cpu];
  const bound = boundOf(bounds, figures.diskShare);
  const bounded: Measure = {
    ...percent,
    name: "measured-bound",
    value: Math.round((writesPerSecond.mean / bound) * 10_000) / 10_000,
    near: 0.5,
    reached: 0.7,
    fact: (value) =>
      `${round(writesPerSecond.mean)} writes a second were ${value} of the ${round(bound)} that this machine can do`,
    next: `Write several rows in one command, and ask for less durability where that is enough; when that does not help, PostgreSQL: ${guide}.`,
  };
  return [bounded, cpu];
}

function round(value: number): number {
  return value < 10 ? Math.round(value * 10) / 10 : Math.round(value);
}

/** A few clients that write without a pause keep the writer at work, and leave room for others in each commit. */
const fewWait = 4;

/** A write at `disk` takes its share of the fsyncs, and one at `commit` takes none. */
function boundOf({ writesPerSecond: { commit, disk } }: Bounds, diskShare: number): number {
  return 1 / (diskShare / disk.median + (1 - diskShare) / commit.median);
}

function listOfReports({ reportsEnded, reportsRunning, slowReadings, slowReadingsHeld }: Figures): Measures {
  const lighten = `Ask for less, or keep sums in a table by a job; when that does not help, analytics on a database of its own: ${guide}.`;
  return [
    {
      name: "reports-ended",
      value: reportsEnded,
      near: 1,
      reached: 3,
      isShare: false,
      show: String,
      fact: (value) => `${value} reports were ended by a limit`,
      next: lighten,
    },
    {
      ...percent,
      name: "reports-running",
      value: reportsRunning,
      near: 0.3,
      reached: 0.6,
      fact: (value) => `a report ran ${value} of the time`,
      next: lighten,
    },
    {
      ...percent,
      name: "slow-readings",
      value: slowReadingsHeld,
      near: 0.002,
      reached: 0.01,
      fact: (value) => `${slowReadings} slow readings held up every other request ${value} of the time`,
      next: `Make the readings under slowReadings reports, or give them an index: docs/guide/your-product.md, "A report".`,
    },
  ];
}
