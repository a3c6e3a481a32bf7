import { type Static, Type } from "typebox";
import { Value } from "typebox/value";

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
  }),
);
/** What one round of one variant measured. */
export type Figures = Static<typeof Figures>;

export const RowSchema = Type.Object({
  name: Type.String(),
  /** Something else than Lifeboat, for comparison. */
  isPeer: Type.Boolean(),
  /** One line beside the row that explains it. */
  note: Type.Union([Type.String(), Type.Null()]),
  rounds: Type.Array(Figures),
});
export type Row = Static<typeof RowSchema>;

const MetricName = Type.KeyOf(Figures);
export type MetricName = Static<typeof MetricName>;

const Section = Type.Object({
  /** Unique in a report. */
  id: Type.String(),
  title: Type.String(),
  about: Type.String(),
  /** The metric of chart and ratios. */
  metric: MetricName,
  /** The row that the others are compared with. */
  baseline: Type.Union([Type.String(), Type.Null()]),
  rows: Type.Array(RowSchema),
  /** What does not fit into rows, as lines of plain text. */
  text: Type.Union([Type.String(), Type.Null()]),
});
export type Section = Static<typeof Section>;

const Rig = Type.Object({
  processor: Type.String(),
  cores: Type.Number(),
  memoryGb: Type.Number(),
  kernel: Type.String(),
  fileSystem: Type.String(),
  loadBefore: Type.Number(),
  loadAfter: Type.Number(),
});

const ReportSchema = Type.Object({
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
export type Report = Static<typeof ReportSchema>;

/** Reads report.json. Throws on anything that is no report. */
export function readReport(text: string): Report {
  return Value.Parse(ReportSchema, JSON.parse(text));
}

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
};
/** Every metric, in the order of a table's columns. */
export const metricNames: readonly MetricName[] = Object.keys(metrics).filter((name) => Value.Check(MetricName, name));
