import { renderSeconds } from "../../app/cli/quantity.ts";
import type { Transcript } from "../../app/cli/transcript.ts";
import type { DrillOptions } from "./arguments.ts";
import type { RecoveryStep } from "./boot-scene.ts";
import type { Loss } from "./compare-scene.ts";
import type { Deliveries } from "./delivery-scene.ts";
import type { Fence } from "./fence-scene.ts";
import { type PerDurability, renderCounts } from "./ledger.ts";

/** What the drill measured: act one, the machine dies; act two, it freezes, is replaced, and wakes up. */
export type Findings = Readonly<{
  rtoMs: number;
  steps: readonly RecoveryStep[];
  firstBucketWriteMs: number;
  loss: Loss;
  mixedRtoMs: number;
  mixedLoss: Loss;
  fence: Fence;
  /** The deliveries. Null for a product that delivers nothing. */
  deliveries: Deliveries | null;
}>;

/** The object of --json. Times in milliseconds; top-level losses are those of act one, `mixed` those of act two. */
export type Report = ReturnType<typeof reportFindings>;

/** What a report says of the drill itself. */
export type Facts = Readonly<{ options: DrillOptions; versions: Readonly<Record<string, string>>; durationMs: number }>;

/** Judges the findings: `ok` only when nothing is in doubt, otherwise `failures` says what is. */
export function reportFindings(findings: Findings, { options, versions, durationMs }: Facts) {
  const { loss, mixedLoss, fence, rtoMs, steps, firstBucketWriteMs } = findings;
  const failures = judge(findings, options);
  return {
    ok: failures.length === 0,
    rtoMs,
    rpoMs: loss.rpoMs,
    rpoWrites: sumOf(loss.comparison.lost),
    acknowledged: loss.acknowledged,
    lost: loss.comparison.lost,
    differing: loss.comparison.differing + mixedLoss.comparison.differing,
    duplicated: loss.comparison.duplicated + mixedLoss.comparison.duplicated,
    unexpected: loss.comparison.unexpected + mixedLoss.comparison.unexpected,
    seed: options.seed,
    steps,
    firstBucketWriteMs,
    mixed: {
      rtoMs: findings.mixedRtoMs,
      rpoMs: mixedLoss.rpoMs,
      acknowledged: mixedLoss.acknowledged,
      lost: mixedLoss.comparison.lost,
    },
    fence,
    deliveries: findings.deliveries,
    failures,
    durationMs: Math.round(durationMs),
    versions,
  };
}

/** The object of --json when the drill could not be finished. */
export function reportError(error: unknown, { options, versions, durationMs }: Facts) {
  const unknown = { rtoMs: null, rpoMs: null, rpoWrites: null, acknowledged: null, lost: null, differing: null };
  const failures = [renderError(error)];
  return { ok: false, ...unknown, seed: options.seed, failures, durationMs: Math.round(durationMs), versions };
}

/** Prints RTO and RPO, where the time went, and what is in doubt. */
export function printReport(report: Report, transcript: Transcript): void {
  const { lost, mixed } = report;
  transcript.heading(`RTO ${renderSeconds(report.rtoMs)}  from kill -9 to the first 200 on /ready, of which`);
  for (const { step, durationMs } of mergeShortSteps(report.steps)) {
    transcript.line(`    ${renderSeconds(durationMs).padStart(9)}  ${step}`);
  }
  transcript.line(`    ${renderSeconds(report.firstBucketWriteMs)} to the first write acknowledged at bucket`);
  const split = renderCounts(lost);
  transcript.line(
    `RPO ${renderSeconds(report.rpoMs)}  of commit writes, ${report.rpoWrites} acknowledged writes lost (${split})`,
  );
  const mixedLost = `${renderCounts(mixed.lost)} lost`;
  transcript.line(`    ${renderSeconds(mixed.rpoMs)} while bucket writes go on: ${mixedLost}`);
  if (report.deliveries !== null)
    transcript.line(
      `TOLD ${report.deliveries.told} side effects, ${report.deliveries.repeated} of them more than once; ${report.deliveries.ofLost} of lost writes`,
    );
  if (report.failures.length > 0) transcript.line("");
  for (const failure of report.failures) transcript.check("FAIL", failure, { evidence: "" });
}

/** The message of an error and of all its causes. */
function renderError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined ? error.message : `${error.message}: ${renderError(error.cause)}`;
}

const shortStepMs = 10;

/** Steps that are too short for a line of their own have one together. */
export function mergeShortSteps(steps: readonly RecoveryStep[]): RecoveryStep[] {
  const short = steps.filter(({ durationMs }) => durationMs < shortStepMs);
  if (short.length === 0) return [...steps];
  const durationMs = short.reduce((total, step) => total + step.durationMs, 0);
  const names = short.map(({ step }) => step).join(", ");
  return [...steps.filter((step) => step.durationMs >= shortStepMs), { step: names, durationMs }];
}

function judge(
  { loss, mixedLoss, fence, deliveries, rtoMs }: Findings,
  { maxRtoMs, maxRpoMs }: DrillOptions,
): string[] {
  const failures = [...judgeLoss("act one", loss), ...judgeLoss("act two", mixedLoss), ...judgeDeliveries(deliveries)];
  if (loss.acknowledged.bucket === 0) failures.push("act one: no bucket write was acknowledged, so nothing was tried");
  if (loss.acknowledged.commit === 0) failures.push("act one: no commit write was acknowledged, so nothing was tried");
  if (mixedLoss.acknowledged.bucket === 0)
    failures.push("act two: no bucket write was acknowledged, so nothing was tried");
  if (fence.acknowledgedAfterClaim > 0) {
    failures.push(`${fence.acknowledgedAfterClaim} bucket writes were acknowledged by a machine that was superseded`);
  }
  if (maxRtoMs !== null && rtoMs > maxRtoMs) failures.push(`RTO ${rtoMs} ms is over the limit of ${maxRtoMs} ms`);
  if (maxRpoMs !== null && loss.rpoMs > maxRpoMs) {
    failures.push(`RPO ${loss.rpoMs} ms is over the limit of ${maxRpoMs} ms`);
  }
  return failures;
}

/** What no disaster may do. */
export function judgeLoss(act: string, { comparison }: Loss): string[] {
  const { lost, differing, duplicated, unexpected, examples } = comparison;
  const faults = [
    [lost.bucket, "bucket writes are lost"],
    [differing, "rows differ from what was written"],
    [duplicated, "rows are there more than once"],
    [unexpected, "rows are there that should not be"],
  ] as const;
  const found = faults.filter(([count]) => count > 0).map(([count, words]) => `${act}: ${count} ${words}`);
  return found.length === 0 ? [] : [...found, ...examples.map((example) => `${act}: ${example}`)];
}

function judgeDeliveries(deliveries: Deliveries | null): string[] {
  if (deliveries === null) return [];
  const { told, ofLost, missing, ambiguous, differing, examples } = deliveries;
  if (told === 0) return ["act three: nothing was told to the outside, so nothing was tried"];
  const faults = [
    [ofLost, "lost writes were told to the outside"],
    [missing, "writes are there that nobody outside was told of"],
    [ambiguous, "writes were told under more than one id"],
    [differing, "deliveries differ from what was written"],
  ] as const;
  const found = faults.filter(([count]) => count > 0).map(([count, words]) => `act three: ${count} ${words}`);
  return found.length === 0 ? [] : [...found, ...examples.map((example) => `act three: ${example}`)];
}

/** All of them. */
export function sumOf({ commit, disk, bucket }: PerDurability): number {
  return commit + disk + bucket;
}
