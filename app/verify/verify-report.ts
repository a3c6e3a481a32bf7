import type { Transcript } from "../cli/transcript.ts";
import { BucketError } from "../replica/bucket-error.ts";
import type { Bucket } from "../replica/bucket.ts";
import type { Compared, Copy } from "../replica/rehearsal.ts";
import type { Needs } from "./needs.ts";
import type { Outcome } from "./survey-bucket.ts";

/** One restored state. */
export type Check = {
  txid: string;
  outcome: Outcome;
  cause: string | null;
  next: string | null;
  copy: Copy | null;
  compared: Compared | null;
  durationMs: number;
};

/** What is written to reports/ in the bucket, and printed with --json. */
export type VerifyReport = {
  /** `planned`: nothing was restored, because of --dry-run. */
  outcome: Outcome | "planned";
  cause: string | null;
  next: string | null;
  startedAt: string;
  durationMs: number;
  by: string;
  bucket: string;
  epoch: string | null;
  headMachine: string | null;
  /** Why the rows were not compared with a live database. */
  notCompared: string | null;
  needs: Needs | null;
  checks: Check[];
};

const ranks = { pass: 0, inconclusive: 1, fail: 2 } as const;

/** The check that decides: one that failed, else one without a result. */
export function findWorst(checks: readonly Check[]): Check | undefined {
  return checks.toSorted((one, other) => ranks[other.outcome] - ranks[one.outcome])[0];
}

export function markOf(outcome: Outcome): "PASS" | "FAIL" | "WARN" {
  return outcome === "pass" ? "PASS" : outcome === "fail" ? "FAIL" : "WARN";
}

export function renderSize(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

export function renderNeeds(
  { bytes, directory, freeBytes, requests }: Needs,
  { limitMs, points }: { limitMs: number; points: number },
): string {
  const size = bytes === null ? "an unknown amount" : renderSize(bytes);
  const copies = points === 0 ? "" : ", one copy at a time";
  return `needs ${size} in ${directory} (${renderSize(freeBytes)} free)${copies}; about ${requests} requests; ${limitMs / 60_000} minutes at most`;
}

export function renderCopy(copy: Copy | null, compared: Compared | null): string {
  if (copy === null) return "";
  const { bytes, sequence, tables } = copy;
  const own = `${renderSize(bytes)}, ${tables} tables, commit ${sequence}; integrity_check and foreign_key_check ok`;
  if (compared === null) return own;
  const reach = compared.whole ? `all ${compared.rows} rows` : `the first ${compared.rows} rows, until the WAL grew`;
  return `${own}; ${reach} as in the live database`;
}

/** A key that only reads writes no report; that changes nothing about what was found. */
export async function putReport(bucket: Bucket, report: VerifyReport, transcript: Transcript): Promise<void> {
  const key = `reports/verify-${report.startedAt}.json`;
  try {
    await bucket.put(key, JSON.stringify(report, null, 2));
    transcript.line(`report: ${key} in bucket ${bucket.name}`);
  } catch (error) {
    if (!(error instanceof BucketError)) throw error;
    const why = error.kind === "key-refused" ? "this key may not write it" : error.message;
    transcript.line(`no report in the bucket: ${why}`);
  }
}
