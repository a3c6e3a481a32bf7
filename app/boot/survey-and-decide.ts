import { setTimeout as sleep } from "node:timers/promises";

import type { Log } from "../log.ts";
import { BucketError, isKeyFault, mayPass } from "../replica/bucket-error.ts";
import type { Bucket } from "../replica/bucket.ts";
import { assertClock, diagnoseEndpoint } from "../replica/diagnose-store.ts";
import { fetchHead } from "../replica/head.ts";
import type { Machine } from "../replica/machine.ts";
import type { BootLimits } from "./boot-limits.ts";
import { type BootPlan, BootRefused, type Refusal, decideBoot } from "./decide-boot.ts";
import { findRoom } from "./space.ts";
import { type Survey, surveyBoot } from "./survey.ts";

type Asking = {
  bucket: Bucket;
  machine: Machine;
  limits: BootLimits;
  log: Log;
};
/** `roomy` is the machine, with a place that has room for what the plan restores. */
type Decided = { roomy: Machine; survey: Survey; plan: Exclude<BootPlan, Refusal> };

/** The pause after the first failure. Each further one is twice as long. */
export const firstBackoffMs = 250;

/**
 * Row 1: asks again while the store does not answer, or our clock is wrong. A refusal stands only while head is still
 * what it was judged by. Throws BootRefused, BucketError.
 */
export async function surveyAndDecide({ bucket, machine, limits, log }: Asking): Promise<Decided> {
  // A monotonic clock, because the wall clock may be set while we wait.
  const keyDeadline = performance.now() + limits.unknownKeyMs;
  let backoffMs = firstBackoffMs;
  for (;;) {
    try {
      const survey = await surveyAtRightTime(bucket, machine);
      const plan = decideBoot(survey.facts);
      if (plan.act === "resume") return { survey, plan, roomy: machine };
      if (plan.act === "claim") {
        return { survey, plan, roomy: await findRoom(bucket, machine, { facts: survey.facts, plan }) };
      }
      if (!(await headMoved(bucket, survey))) throw new BootRefused(plan);
      log.info({ row: plan.row }, "head moved while it was judged, surveying again");
    } catch (error) {
      const passes = isKeyFault(error) ? performance.now() < keyDeadline : mayPass(error);
      if (!passes) throw error;
      log.warn({ row: 1, cause: String(error), backoffMs }, "the store does not answer, waiting");
      await sleep(backoffMs);
      backoffMs = Math.min(backoffMs * 2, limits.maxBackoffMs);
    }
  }
}

/** With a wrong clock the store may refuse with many different errors. So the clock is reported first. */
async function surveyAtRightTime(bucket: Bucket, machine: Machine): Promise<Survey> {
  try {
    return await surveyBoot(bucket, machine);
  } catch (error) {
    throw await diagnoseEndpoint(error, machine.bucket);
  } finally {
    assertClock(bucket);
  }
}

/** Whether head changed its owner, run or state: a refusal of an opening head says nothing about a living one. */
async function headMoved(bucket: Bucket, { seen }: Survey): Promise<boolean> {
  try {
    const { head } = await fetchHead(bucket);
    return head.nonce !== seen?.head.nonce || head.state !== seen.head.state || head.run !== seen.head.run;
  } catch (error) {
    if (error instanceof BucketError && error.kind === "missing") return seen !== null;
    throw error;
  }
}
