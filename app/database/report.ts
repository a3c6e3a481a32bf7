import type { Reading } from "./transaction.ts";

/**
 * A reading that may take seconds: revenue by month, cohorts. It runs in a process of its own, so that nothing else
 * waits for it. Its input and its result are JSON.
 */
export type Report<Input = never, Result = unknown> = {
  readonly name: string;
  readonly read: (input: Input) => Reading<Result>;
};

/** Names a report. List it in the product's `reports`, so that the process finds it. */
export function defineReport<Input, Result>(name: string, read: Report<Input, Result>["read"]): Report<Input, Result> {
  return { name, read };
}

/** Indexes reports by name. Throws Error when two have the same name. */
export function indexReports(reports: readonly Report[]): ReadonlyMap<string, Report> {
  const byName = new Map<string, Report>();
  for (const report of reports) {
    if (byName.has(report.name)) throw new Error(`two reports are named "${report.name}"; give each its own name`);
    byName.set(report.name, report);
  }
  return byName;
}

export type ReportLimits = {
  /** How long a report may run. Until then its snapshot keeps the WAL from being reset. */
  runMs: number;
  /** How many may wait while one runs. */
  mostWaiting: number;
  /** The memory of the process, with SQLite's part of it. */
  memoryBytes: number;
  /** The size of an answer. It passes through the server's memory. */
  answerBytes: number;
};

export type ReportEnd =
  | "report-out-of-time"
  | "report-out-of-memory"
  | "report-too-large"
  | "reports-queue-full"
  | "reports-paused"
  | "disk-full"
  | "stopping"
  | "client-gone";

/** A report has no answer, for a reason that is no fault of the program. It changed nothing. */
export class ReportEnded extends Error {
  override readonly name = "ReportEnded";
  readonly reason: ReportEnd;
  /** What the client is told, and what to do. */
  readonly detail: string;

  constructor(reason: ReportEnd, limits: ReportLimits) {
    const detail = details[reason](limits);
    super(`the report ended (${reason}): ${detail}`);
    this.reason = reason;
    this.detail = detail;
  }

  /** Whether the same report may have an answer a little later. Any other would end the same way again. */
  get hasNotBegun(): boolean {
    return this.reason === "reports-queue-full" || this.reason === "reports-paused";
  }
}

/** What the server asks of the process. */
export type ReportOrder = { report: string; input: unknown };

/** What the process tells. Plain data, because an error loses its class on the way. */
export type ReportMessage =
  | { kind: "ready" }
  | { kind: "done"; resultJson: string }
  | { kind: "rejected"; code: string; status: number; detail: string }
  | { kind: "ended"; reason: "report-too-large" | "disk-full" }
  | { kind: "failed"; cause: string; stack: string };

const mebibyte = 1024 * 1024;
const narrow = "Ask for less, such as a shorter period; or keep sums in a table, by a job at night, and read those.";

const details: Record<ReportEnd, (limits: ReportLimits) => string> = {
  "report-out-of-time": ({ runMs }) =>
    `The report was ended after ${runMs / 1_000} s, the most that one may take. ${narrow}`,
  "report-out-of-memory": ({ memoryBytes }) =>
    `The report was ended because it needs more than ${Math.round(memoryBytes / mebibyte)} MiB of memory. ${narrow}`,
  "report-too-large": ({ answerBytes }) =>
    `The report's answer is larger than ${Math.round(answerBytes / mebibyte)} MiB. Sum up in SQL, or ask for less.`,
  "reports-queue-full": ({ mostWaiting }) =>
    `One report runs and ${mostWaiting} wait, the most that may. Repeat the request after the time that Retry-After gives, in seconds.`,
  "reports-paused": () =>
    "No report begins while the write-ahead log waits to be reset. Repeat the request after the time that Retry-After gives, in seconds.",
  "disk-full": () => "The disk for temporary files has no space left for this report. Ask for less.",
  stopping: () => "The server is stopping and has ended the report. Repeat the request.",
  "client-gone": () => "The client has left.",
};
