import { writeDurably } from "../durable-file.ts";
import type { Bucket } from "../replica/bucket.ts";
import type { Fence } from "../replica/conditional-writes.ts";
import type { Machine } from "../replica/machine.ts";

export type BootStep = { step: string; durationMs: number };

/** Runs a named step of boot and records its duration. */
export type Step = <Result>(name: string, act: () => Result | Promise<Result>) => Promise<Result>;

/**
 * How a boot ended, for people without SSH. Kept in the run directory and, if the store can be written to, under
 * reports/ in the bucket.
 */
export type BootReport = {
  outcome: "resumed" | "claimed" | "refused" | "lost";
  /** The row of the boot table. */
  row: number | null;
  machine: string;
  startedAt: string;
  epoch: string | null;
  parent: string | null;
  content: "fresh" | "volume" | "restored" | "imported" | null;
  restoredTxid: string | null;
  sequence: number | null;
  quarantined: string | null;
  /** Whether the store honours conditional writes; null when it was not probed. */
  fence: Fence | null;
  cause: string | null;
  next: string | null;
  steps: readonly BootStep[];
};

/** Writes the report to the machine. The next boot overwrites it. */
export function writeBootReport(machine: Machine, report: BootReport): void {
  writeDurably(machine.files.bootReport, JSON.stringify(report, null, 2));
}

/** Puts the report into the bucket. Throws BucketError. */
export async function putBootReport(bucket: Bucket, report: BootReport): Promise<void> {
  await bucket.put(`reports/boot/${report.startedAt}-${report.machine}.json`, JSON.stringify(report, null, 2));
}
