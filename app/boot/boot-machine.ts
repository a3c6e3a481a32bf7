import { randomUUID } from "node:crypto";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

import { isOutOfSpace } from "../database/sqlite-failure.ts";
import type { Log } from "../log.ts";
import { isKeyFault } from "../replica/bucket-error.ts";
import { type Bucket, openBucket } from "../replica/bucket.ts";
import { ClaimLost, ClaimUnsettled, resumeEpoch } from "../replica/claim.ts";
import { adviseOnStore } from "../replica/diagnose-store.ts";
import { renderLitestreamConfig } from "../replica/litestream-config.ts";
import { assertLitestream } from "../replica/litestream.ts";
import { holdLitestreamLock, lockDirectory } from "../replica/lock.ts";
import type { Machine } from "../replica/machine.ts";
import { writeMark } from "../replica/mark.ts";
import { type BootLimits, bootLimits } from "./boot-limits.ts";
import { carryOutClaim } from "./carry-out-claim.ts";
import { BootRefused } from "./decide-boot.ts";
import { type BootReport, type BootStep, putBootReport, writeBootReport, type Step } from "./report.ts";
import { tellFullDisk } from "./space.ts";
import { firstBackoffMs, surveyAndDecide } from "./survey-and-decide.ts";
import type { Survey } from "./survey.ts";

export type BootOptions = {
  log: Log;
  /** Overrides single limits of bootLimits. */
  limits?: Partial<BootLimits>;
};

/**
 * Boots a machine: surveys store and disk, decides by the boot table, carries the plan out. Afterwards this machine may
 * serve its database, and litestream.yml names its epoch; or boot has refused. It never guesses that there is no data.
 * Returns a report for every normal outcome. Throws for what a restart may cure (DirectoryInUse, BucketError,
 * RestoreFailed).
 */
export async function bootMachine(machine: Machine, options: BootOptions): Promise<BootReport> {
  const limits = { ...bootLimits, ...options.limits };
  const steps: BootStep[] = [];
  const step = stepper(steps, options);
  const report: BootReport = { ...emptyReport, machine: machine.machineId, startedAt: new Date().toISOString(), steps };
  mkdirSync(machine.files.dataDirectory, { recursive: true, mode: 0o700 });
  mkdirSync(machine.files.runDirectory, { recursive: true, mode: 0o700 });
  using _lock = await step("lock", () => lockDirectory(machine.files.lock));
  await using _litestream = await holdLitestreamLock(machine.files.litestreamLock, limits.litestreamWaitSeconds);
  const bucket = openBucket(machine.bucket, {
    ...limits.store,
    onSlowListing: (listing) =>
      options.log.warn({ ...listing }, "the store takes long to list, as over many delete markers"),
  });
  try {
    Object.assign(report, await settleBoot({ bucket, machine, step, limits, log: options.log }));
  } catch (error) {
    Object.assign(report, toOutcome(machine, error));
  }
  await publish(bucket, machine, report, options);
  return report;
}

const emptyReport = {
  outcome: "refused",
  row: null,
  epoch: null,
  parent: null,
  content: null,
  restoredTxid: null,
  sequence: null,
  quarantined: null,
  fence: null,
  cause: null,
  next: null,
} as const;

type Settling = { bucket: Bucket; machine: Machine; step: Step; limits: BootLimits; log: Log };

/**
 * Surveys again in two cases: the claim had no winner, so head may have changed; or the store denied the claim, and AWS
 * may not know the rights of a new key everywhere yet. A denied request wrote nothing.
 */
async function settleBoot({ step, ...asking }: Settling): Promise<Partial<BootReport>> {
  const { bucket, machine, limits, log } = asking;
  const keyDeadline = performance.now() + limits.unknownKeyMs;
  for (let backoffMs = firstBackoffMs; ; backoffMs = Math.min(backoffMs * 2, limits.maxBackoffMs)) {
    const [{ survey, plan, roomy }] = await step("survey", () =>
      Promise.all([surveyAndDecide(asking), assertLitestream(machine.litestreamPath)]),
    );
    try {
      if (plan.act === "resume") return await step("resume", () => resume(bucket, machine, survey));
      return await carryOutClaim({ ...asking, machine: roomy, survey, plan, step });
    } catch (error) {
      const mayBeGranted = isKeyFault(error) && performance.now() < keyDeadline;
      if (!(error instanceof ClaimUnsettled) && !mayBeGranted) throw error;
      log.warn({ row: 1, cause: String(error), backoffMs }, "the claim is not settled, surveying again");
      await sleep(backoffMs);
    }
  }
}

/**
 * Begins a new run of the epoch. The mark gets the new run before head does and keeps the old one until then, so that
 * after a crash at any point the next boot can resume. The first write of the mark also erases the clean stop: a copy
 * of this disk with a clean stop would resume too. Throws ClaimUnsettled, BucketError.
 */
async function resume(bucket: Bucket, machine: Machine, { facts, seen }: Survey): Promise<Partial<BootReport>> {
  if (facts.mark === null || seen === null) throw new Error("a resume without mark or head was planned");
  const { head } = seen;
  const mark = { ...facts.mark, machine: machine.machineId };
  const run = randomUUID();
  writeMark(machine.files.mark, { ...mark, runs: [...(mark.runs ?? [mark.nonce]), run], cleanStop: null });
  await resumeEpoch(bucket, seen, { run, machine: machine.machineId });
  writeMark(machine.files.mark, { ...mark, runs: [run], bootId: machine.bootId, cleanStop: null });
  rmSync(machine.files.replicated, { force: true });
  writeFileSync(machine.files.litestreamConfig, renderLitestreamConfig(machine, head.epoch), { mode: 0o600 });
  return { outcome: "resumed", row: 3, epoch: head.epoch, parent: head.parent?.epoch ?? null, content: "volume" };
}

function toOutcome(machine: Machine, error: unknown): Partial<BootReport> {
  if (error instanceof BootRefused) return { outcome: "refused", ...error.refusal };
  if (error instanceof ClaimLost)
    return { outcome: "lost", cause: error.message, next: "nothing: the other machine serves" };
  // A restart would fill the disk again, so this is a refusal.
  if (error instanceof Error && isOutOfSpace(error))
    return toOutcome(machine, new BootRefused({ row: null, ...tellFullDisk(machine, error.message) }));
  const advice = adviseOnStore(error);
  if (advice === null) throw error;
  const cause = error instanceof Error ? error.message : String(error);
  return toOutcome(machine, new BootRefused({ row: 2, cause, next: advice }));
}

function stepper(steps: BootStep[], options: BootOptions): Step {
  return async (name, act) => {
    const startedAt = performance.now();
    const result = await act();
    const durationMs = Math.round(performance.now() - startedAt);
    steps.push({ step: name, durationMs });
    options.log.info({ step: name, durationMs }, "step done");
    return result;
  };
}

/** Only people read the copy in the bucket, so boot does not fail when the store refuses it. */
async function publish(bucket: Bucket, machine: Machine, report: BootReport, options: BootOptions): Promise<void> {
  writeBootReport(machine, report);
  try {
    await putBootReport(bucket, report);
  } catch (error) {
    options.log.warn({ cause: String(error) }, "the boot report could not be put into the bucket");
  }
}
