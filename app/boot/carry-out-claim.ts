import { setTimeout as sleep } from "node:timers/promises";

import type { Log } from "../log.ts";
import { BucketError, isKeyFault, mayPass } from "../replica/bucket-error.ts";
import type { Bucket } from "../replica/bucket.ts";
import { epochPrefix } from "../replica/chain.ts";
import { claimHead, putEpochNote, takeOverEpoch, type Claim } from "../replica/claim.ts";
import { probeConditionalWrites } from "../replica/conditional-writes.ts";
import { findBlame } from "../replica/litestream.ts";
import type { Machine } from "../replica/machine.ts";
import { RestoreFailed } from "../replica/restore.ts";
import { waitForStore } from "../replica/wait-for-store.ts";
import type { BootLimits } from "./boot-limits.ts";
import { BootRefused } from "./decide-boot.ts";
import { type Installed, installDatabase } from "./install.ts";
import { countQuarantined } from "./quarantine.ts";
import type { BootReport, Step } from "./report.ts";
import type { Survey } from "./survey.ts";

type ClaimContext = {
  bucket: Bucket;
  machine: Machine;
  survey: Survey;
  plan: Claim;
  step: Step;
  limits: BootLimits;
  log: Log;
};

/**
 * Claims head first, then restores. The order matters: whatever was acknowledged at `bucket` was uploaded before any
 * later claim. After a crash at any step the next boot ends with the same content. Throws ClaimLost, ClaimUnsettled,
 * BootRefused, BucketError.
 */
export async function carryOutClaim(context: ClaimContext): Promise<Partial<BootReport>> {
  const { bucket, machine, survey, plan, step, limits, log } = context;
  const patiently = patienceOf(limits);
  const probing = () => patiently(() => probeConditionalWrites(bucket, machine.machineId));
  // The first claim does not prove that the store honours If-Match, and there is no restore to run the probe beside. So
  // probe first, and report an unusable store before anything is claimed. A later claim is a proof in itself.
  const probed = survey.seen === null ? await step("probe", probing) : null;
  const { head } = await step("claim", () => claimHead(bucket, machine, { seen: survey.seen, plan }));
  const { row, parent, content: planned } = plan;
  log.info({ epoch: head.epoch, row, parent: parent?.epoch ?? null, content: planned }, "claimed");
  // Wait for both: a probe that fails must not leave a restore running.
  const [install, probe] = await Promise.allSettled([installWithRetry(context), probed ?? probing()]);
  if (install.status === "rejected") throw install.reason;
  if (probe.status === "rejected" && !mayPass(probe.reason)) throw probe.reason;
  const installed = install.value;
  // The restore waits longer for a failing store than the probe does, so probe again.
  const fence = probe.status === "rejected" ? await probing() : probe.value;
  const { content, restoredTxid, sequence } = installed;
  const note = { epoch: head.epoch, parent, content, restoredTxid, commitSequence: sequence };
  await step("epoch", () => patiently(() => putEpochNote(bucket, note)));
  await step("mark", () => takeOverEpoch(machine, head));
  return {
    outcome: "claimed",
    row,
    epoch: head.epoch,
    parent: parent?.epoch ?? null,
    content,
    restoredTxid,
    sequence: sequence?.sequence ?? null,
    quarantined: installed.quarantined,
    fence,
  };
}

/** Retries temporary failures, and for a shorter time a right that a new key does not have yet. */
function patienceOf({
  unknownKeyMs,
  storeWaitMs,
}: BootLimits): <Result>(call: () => Promise<Result>) => Promise<Result> {
  const keyDeadline = performance.now() + unknownKeyMs;
  const isPassing = (error: unknown) => mayPass(error) || (isKeyFault(error) && performance.now() < keyDeadline);
  return (call) => waitForStore(call, storeWaitMs, undefined, isPassing);
}

/**
 * The dead machine's Litestream may still compact during our restore, so that a file is gone when it is opened. The
 * next try lists again. While the store fails, boot waits, as in row 1. It refuses only when the last restore failed
 * between two complete reads of the replica that the store answered well: then the replica is at fault.
 */
async function installWithRetry(context: ClaimContext): Promise<Installed> {
  const { machine, survey, plan, step, limits, log } = context;
  let isStoreWell = false;
  let backoffMs = limits.restorePausesMs[0] ?? 0;
  for (let attempt = 1; ; attempt++) {
    try {
      return await installDatabase({ machine, facts: survey.facts, plan, step, log, limits: patientLimits(context) });
    } catch (error) {
      if (!(error instanceof RestoreFailed)) throw error;
      log.warn({ attempt, cause: error.message }, "restore failed");
      const pauseMs = limits.restorePausesMs[attempt - 1];
      const blame = findBlame(error.message);
      let fault = blame === "store-fails" || blame === "late" ? error.message : null;
      if (fault === null && pauseMs !== undefined) {
        await sleep(pauseMs);
        continue;
      }
      fault ??= await findStoreFaultOrRefuse(context, error);
      if (fault === null && isStoreWell) throw refuseReplica(context, error.message);
      isStoreWell = fault === null;
      if (fault === null) continue;
      log.warn({ row: 1, cause: fault, backoffMs }, "the store fails under the restore, waiting");
      await sleep(backoffMs);
      backoffMs = Math.min(backoffMs * 2, limits.maxBackoffMs);
      // A failure of the store says nothing about the replica.
      attempt = 0;
    }
  }
}

/**
 * Litestream lists the replica too, level by level, without progress in the meantime. A store that lists slowly must
 * not look like a restore that hangs.
 */
function patientLimits({ bucket, limits }: ClaimContext): BootLimits {
  return { ...limits, restoreStallMs: Math.max(limits.restoreStallMs, 3 * bucket.longestListMs()) };
}

/** Adds a final error of the store, found by reading the replica ourselves, to Litestream's own message. */
async function findStoreFaultOrRefuse(context: ClaimContext, failed: RestoreFailed): Promise<string | null> {
  const { bucket, plan, limits } = context;
  try {
    return await findStoreFault(bucket, plan.parent?.epoch ?? "", limits);
  } catch (error) {
    if (!(error instanceof BucketError)) throw error;
    throw refuseReplica(context, `${failed.message}; reading it without Litestream: ${error.message}`);
  }
}

const readersAtOnce = 8;

/**
 * Reads every file of an epoch as a restore does. Returns the temporary fault that the store shows on the way, or null
 * when it delivers everything. Needed for ambiguous messages of Litestream: an unexpected end can be a broken
 * connection or a truncated file. Throws BucketError for a final fault.
 */
async function findStoreFault(bucket: Bucket, epoch: string, limits: BootLimits): Promise<string | null> {
  try {
    const keys = (await Array.fromAsync(bucket.list(epochPrefix(epoch)))).filter((key) => key.endsWith(".ltx"));
    const readers = Array.from({ length: readersAtOnce }, async () => {
      for (let key = keys.pop(); key !== undefined; key = keys.pop())
        await bucket.readThrough(key, limits.restoreStallMs);
    });
    await Promise.all(readers);
    return null;
  } catch (error) {
    if (mayPass(error)) return String(error);
    throw error;
  }
}

function refuseReplica({ plan, machine }: ClaimContext, cause: string): BootRefused {
  return new BootRefused({
    row: plan.row,
    cause,
    next: `check epochs/${plan.parent?.epoch ?? ""}/ and the free space${quarantineHint(machine)}`,
  });
}

function quarantineHint(machine: Machine): string {
  const count = countQuarantined(machine.files);
  return count === 0 ? "" : ` (${count} earlier databases lie in ${machine.files.quarantine})`;
}
