import { type Static, Type } from "typebox";

const Figures = Type.Partial(
  Type.Object({
    perSecond: Type.Number(),
    p50Ms: Type.Number(),
    p99Ms: Type.Number(),
    p999Ms: Type.Number(),
    worstMs: Type.Number(),
    lateMs: Type.Number(),
    cpuUs: Type.Number(),
    seconds: Type.Number(),
    files: Type.Number(),
  }),
);
/** What one round of one variant measured. */
export type Figures = Static<typeof Figures>;
export type MetricName = keyof Figures;

const Row = Type.Object({
  name: Type.String(),
  /** Something else than Lifeboat, for comparison. */
  isPeer: Type.Boolean(),
  /** One line beside the row that explains it. */
  note: Type.Union([Type.String(), Type.Null()]),
  rounds: Type.Array(Figures),
});
export type Row = Static<typeof Row>;

const Section = Type.Object({
  /** Unique in a report. */
  id: Type.String(),
  title: Type.String(),
  about: Type.String(),
  /** The metric of chart and ratios. */
  metric: Type.String(),
  /** The row that the others are compared with. */
  baseline: Type.Union([Type.String(), Type.Null()]),
  rows: Type.Array(Row),
  /** What does not fit into rows, as lines of plain text. */
  text: Type.Union([Type.String(), Type.Null()]),
});
export type Section = Omit<Static<typeof Section>, "metric"> & { metric: MetricName };

const Rig = Type.Object({
  processor: Type.String(),
  cores: Type.Number(),
  memoryGb: Type.Number(),
  kernel: Type.String(),
  fileSystem: Type.String(),
  loadBefore: Type.Number(),
  loadAfter: Type.Number(),
});

export const ReportSchema = Type.Object({
  format: Type.Literal(1),
  mode: Type.Union([Type.Literal("quick"), Type.Literal("full")]),
  startedAt: Type.String(),
  tookSeconds: Type.Number(),
  rounds: Type.Number(),
  roundMs: Type.Number(),
  rig: Rig,
  versions: Type.Record(Type.String(), Type.String()),
  sections: Type.Array(Section),
  /** What was not measured, and why. */
  omissions: Type.Array(Type.Object({ what: Type.String(), why: Type.String() })),
});
/** All that one run of the bench found, with the figures of every single round. */
export type Report = Omit<Static<typeof ReportSchema>, "sections"> & { sections: Section[] };

type Metric = Readonly<{ head: string; isMoreBetter: boolean }>;
/** What is measured, in the order of a table's columns. */
export const metrics: Readonly<Record<MetricName, Metric>> = {
  perSecond: { head: "a second", isMoreBetter: true },
  p50Ms: { head: "p50 ms", isMoreBetter: false },
  p99Ms: { head: "p99 ms", isMoreBetter: false },
  p999Ms: { head: "p99.9 ms", isMoreBetter: false },
  worstMs: { head: "worst ms", isMoreBetter: false },
  lateMs: { head: "sent late, p99 ms", isMoreBetter: false },
  cpuUs: { head: "CPU µs each", isMoreBetter: false },
  seconds: { head: "seconds", isMoreBetter: false },
  files: { head: "files", isMoreBetter: false },
};
/** Every metric, in the order of a table's columns. */
export const metricNames: readonly MetricName[] = [
  "perSecond",
  "p50Ms",
  "p99Ms",
  "p999Ms",
  "worstMs",
  "lateMs",
  "cpuUs",
  "seconds",
  "files",
];
