import { randomUUID } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

import { assertLitestream } from "./assert-litestream.ts";
import { bootLimits, type BootLimits } from "./boot-limits.ts";
import { BootRefused } from "./boot-refused.ts";
import { BucketError, mayPass } from "./bucket-error.ts";
import { openBucket, type Bucket } from "./bucket.ts";
import { carryOutClaim } from "./carry-out-claim.ts";
import { ClaimLost, takeUpEpoch } from "./claim.ts";
import { decideBoot, type BootPlan, type Refusal } from "./decide-boot.ts";
import { fetchHead, runOf } from "./head.ts";
import type { Step } from "./install.ts";
import { renderLitestreamConfig } from "./litestream-config.ts";
import { holdLitestreamLock, lockDirectory } from "./lock.ts";
import type { Machine } from "./machine.ts";
import { readIntent, removeIntent, writeMark } from "./mark.ts";
import { ShapeError } from "./parse-json.ts";
import { putBootReport, writeBootReport, type BootReport, type BootStep } from "./report.ts";
import { surveyBoot, type Survey } from "./survey.ts";

export type BootOptions = {
  /** Told of everything that is worth a log line. */
  log: (event: string, details: object) => void;
  /** Called after each step is done; tests kill the process here. */
  afterStep?: (step: string) => void;
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
  const bucket = openBucket(machine.bucket);
  try {
    Object.assign(report, await decideAndAct({ bucket, machine, limits, log: options.log }, step));
  } catch (error) {
    Object.assign(report, toOutcome(error));
  }
  await publish(bucket, machine, report, options);
  return report;
}

const firstBackoffMs = 250;

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

type Asking = { bucket: Bucket; machine: Machine; limits: BootLimits; log: BootOptions["log"] };
type Decided = { survey: Survey; plan: Exclude<BootPlan, Refusal> };

/**
 * Row 1: while the store does not answer, ask again. A refusal stands only when head is still the one it was judged by.
 */
async function surveyAndDecide({ bucket, machine, limits, log }: Asking): Promise<Decided> {
  const keyDeadline = Date.now() + limits.unknownKeyMs;
  let backoffMs = firstBackoffMs;
  for (;;) {
    try {
      const survey = await surveyBoot(bucket, machine);
      const plan = decideBoot(survey.facts);
      if (plan.act !== "refuse") return { survey, plan };
      if (!(await headMoved(bucket, survey))) throw new BootRefused(plan);
      log("head moved while it was judged, surveying again", { row: plan.row });
    } catch (error) {
      if (!mayPass(error) || (isKeyUnknown(error) && Date.now() > keyDeadline)) throw error;
      log("the store does not answer, waiting", { row: 1, cause: String(error), backoffMs });
      await sleep(backoffMs);
      backoffMs = Math.min(backoffMs * 2, limits.maxBackoffMs);
    }
  }
}

async function headMoved(bucket: Bucket, { seen }: Survey): Promise<boolean> {
  try {
    return (await fetchHead(bucket)).etag !== seen?.etag;
  } catch (error) {
    if (error instanceof BucketError && error.kind === "missing") return seen !== null;
    throw error;
  }
}

/** Ends with a claim or a resume; head that moves under a resume is judged anew. */
async function decideAndAct(asking: Asking, step: Step): Promise<Partial<BootReport>> {
  for (;;) {
    const [{ survey, plan }] = await step("survey", () =>
      Promise.all([surveyAndDecide(asking), assertLitestream(asking.machine.litestreamPath)]),
    );
    noteInterruptedClaim(asking.machine, survey, asking.log);
    if (plan.act !== "resume") return carryOutClaim({ ...asking, survey, plan, step });
    const resumed = await step("resume", () => resume(asking, survey));
    if (resumed !== null) return resumed;
    asking.log("head moved while its epoch was taken up, surveying again", {});
  }
}

/**
 * An intent that outlived its boot: the claim was sent, or was about to be. Head says which, and the plan already
 * follows head.
 */
function noteInterruptedClaim(machine: Machine, { facts }: Survey, log: BootOptions["log"]): void {
  try {
    const intent = readIntent(machine.files.intent);
    if (intent === null) return;
    log("an earlier claim was interrupted", { epoch: intent.epoch, won: facts.head?.nonce === intent.claiming });
  } catch (error) {
    if (!(error instanceof ShapeError)) throw error;
    log("the intent of an earlier claim is damaged", { cause: error.message });
  }
}

/**
 * The next run is on the disk before head names it, beside the last one, so that a crash in between leads the next boot
 * to either. The clean stop is forgotten first: a copy of this disk that still told of it would resume too. Null when
 * head has moved.
 */
async function resume({ bucket, machine }: Asking, { facts, seen }: Survey): Promise<Partial<BootReport> | null> {
  const { mark } = facts;
  if (mark === null || seen === null) throw new Error("a resume without mark or head was planned");
  const { head } = seen;
  const run = randomUUID();
  writeMark(machine.files.mark, { ...mark, runs: [runOf(head), run], cleanStop: null });
  if (!(await takeUpEpoch(bucket, seen, run))) return null;
  writeMark(machine.files.mark, { ...mark, runs: [run], bootId: machine.bootId, cleanStop: null });
  removeIntent(machine.files.intent);
  writeFileSync(machine.files.litestreamConfig, renderLitestreamConfig(machine, head.epoch), { mode: 0o600 });
  return { outcome: "resumed", row: 3, epoch: head.epoch, parent: head.parent?.epoch ?? null, content: "volume" };
}

function toOutcome(error: unknown): Partial<BootReport> {
  if (error instanceof BootRefused) return { outcome: "refused", ...pick(error.refusal) };
  if (error instanceof ClaimLost)
    return { outcome: "lost", cause: error.message, next: "nothing: the other machine serves" };
  const next = adviseOnStore(error);
  if (next === null) throw error;
  return { outcome: "refused", row: 2, cause: error instanceof Error ? error.message : String(error), next };
}

/** What to do about a store that no waiting cures; null when a restart may cure it. */
function adviseOnStore(error: unknown): string | null {
  if (error instanceof ShapeError)
    return `bring an earlier version of ${error.source} back in the bucket, or check the endpoint, if something else answers there`;
  if (error instanceof BucketError && error.kind === "unsupported") {
    return "this store refuses conditional writes, without which no claim can be won; use one that honours them";
  }
  if (error instanceof BucketError && (!mayPass(error) || isKeyUnknown(error)))
    return "check endpoint, bucket, region and key of the store";
  return null;
}

function isKeyUnknown(error: unknown): boolean {
  return error instanceof BucketError && error.kind === "key-unknown";
}

function pick({ row, cause, next }: Refusal): Partial<BootReport> {
  return { row, cause, next };
}

function stepper(steps: BootStep[], options: BootOptions): Step {
  return async (name, act) => {
    const startedAt = performance.now();
    const result = await act();
    const durationMs = Math.round(performance.now() - startedAt);
    steps.push({ step: name, durationMs });
    options.log("step done", { step: name, durationMs });
    options.afterStep?.(name);
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
    options.log("the boot report could not be put into the bucket", { cause: String(error) });
  }
}
