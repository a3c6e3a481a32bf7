import { isMainThread } from "node:worker_threads";

import { becomeExpendable, watchProcess } from "./expendable-process.ts";
import { openReader, type Reader } from "./reader.ts";
import { indexReports, type Report, type ReportMessage, type ReportOrder } from "./report.ts";
import { isDiskFull } from "./sqlite-failure.ts";
import { CommandRejected } from "./write-outcome.ts";

/** What the server tells the process when it starts it, as JSON in its first argument. */
export type ReportProcessSettings = { databasePath: string; memoryBytes: number; answerBytes: number };

/**
 * The body of the process of reports: runs one after the other until the server leaves. Whatever it does, it can be
 * killed: it only reads. `entry` is the program's own URL, and `loadReports` gives the product's reports.
 */
export async function serveReports(entry: string, loadReports: () => Promise<readonly Report[]>): Promise<void> {
  if (!isMainThread) return watchProcess();
  const { databasePath, memoryBytes, answerBytes }: ReportProcessSettings = JSON.parse(process.argv[2] ?? "");
  becomeExpendable(entry, memoryBytes);
  const byName = indexReports(await loadReports());
  const reader = openReader(databasePath);
  process.on("message", (order: ReportOrder) => tell(runReport(byName, { reader, answerBytes }, order)));
  tell({ kind: "ready" });
}

function tell(message: ReportMessage): void {
  process.send?.(message);
}

type Means = { reader: Reader; answerBytes: number };

function runReport(
  byName: ReadonlyMap<string, Report>,
  { reader, answerBytes }: Means,
  { report: name, input }: ReportOrder,
): ReportMessage {
  try {
    const report = byName.get(name);
    if (report === undefined) throw new Error(`no report "${name}"; add it to the product's reports`);
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the route that named the report gave its input
    const result = reader.read(report.read(input as never));
    // A result without a value has no JSON.
    const resultJson = result === undefined ? "null" : JSON.stringify(result);
    if (Buffer.byteLength(resultJson) > answerBytes) return { kind: "ended", reason: "report-too-large" };
    return { kind: "done", resultJson };
  } catch (error) {
    return describeFailure(error);
  }
}

function describeFailure(error: unknown): ReportMessage {
  if (error instanceof CommandRejected)
    return { kind: "rejected", code: error.code, status: error.status, detail: error.detail };
  if (isDiskFull(error)) return { kind: "ended", reason: "disk-full" };
  const cause = error instanceof Error ? error.message : String(error);
  return { kind: "failed", cause, stack: error instanceof Error ? (error.stack ?? cause) : cause };
}
