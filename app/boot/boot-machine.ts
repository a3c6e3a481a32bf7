import { randomUUID } from "node:crypto";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

import { isOutOfSpace } from "../database/sqlite-failure.ts";
import type { Log } from "../log.ts";
import { isKeyFault } from "../replica/bucket-error.ts";
import { type Bucket, openBucket } from "../replica/bucket.ts";
import { ClaimLost, ClaimUnsettled, takeUpEpoch } from "../replica/claim.ts";
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
  /** Told of everything that is worth a log line. */
  log: Log;
  /** Replaces limits of bootLimits. */
  limits?: Partial<BootLimits>;
};

/**
 * Boots a machine: survey, decide, carry out. Ends with a database that this machine may serve and litestream.yml for
 * its epoch, or with a refusal. Never guesses "empty". Returns a report for every normal outcome; throws for what a
 * restart may cure (DirectoryInUse, BucketError, RestoreFailed).
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
 * Surveys, decides and carries out. A claim that nobody won is judged anew here: head may say something else by now. So
 * is one that the store denied while the key's policy may still be on its way: what is denied has written nothing.
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
 * The next run is on the disk before head names it, beside the last one, so that a crash in between leads the next boot
 * to either. The clean stop is forgotten first: a copy of this disk that still told of it would resume too. Throws
 * ClaimUnsettled, BucketError.
 */
async function resume(bucket: Bucket, machine: Machine, { facts, seen }: Survey): Promise<Partial<BootReport>> {
  if (facts.mark === null || seen === null) throw new Error("a resume without mark or head was planned");
  const { head } = seen;
  const mark = { ...facts.mark, machine: machine.machineId };
  const run = randomUUID();
  writeMark(machine.files.mark, { ...mark, runs: [...(mark.runs ?? [mark.nonce]), run], cleanStop: null });
  await takeUpEpoch(bucket, seen, { run, machine: machine.machineId });
  writeMark(machine.files.mark, { ...mark, runs: [run], bootId: machine.bootId, cleanStop: null });
  rmSync(machine.files.replicated, { force: true });
  writeFileSync(machine.files.litestreamConfig, renderLitestreamConfig(machine, head.epoch), { mode: 0o600 });
  return { outcome: "resumed", row: 3, epoch: head.epoch, parent: head.parent?.epoch ?? null, content: "volume" };
}

function toOutcome(machine: Machine, error: unknown): Partial<BootReport> {
  if (error instanceof BootRefused) return { outcome: "refused", ...error.refusal };
  if (error instanceof ClaimLost)
    return { outcome: "lost", cause: error.message, next: "nothing: the other machine serves" };
  // A full disk is no sick store, and a restart would end the same way.
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

/**
 * The copy in the bucket is for people; when it cannot be written, the outcome stands all the same and the log says so.
 */
async function publish(bucket: Bucket, machine: Machine, report: BootReport, options: BootOptions): Promise<void> {
  writeBootReport(machine, report);
  try {
    await putBootReport(bucket, report);
  } catch (error) {
    options.log.warn({ cause: String(error) }, "the boot report could not be put into the bucket");
  }
}
