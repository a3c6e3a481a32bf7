import { renderSeconds } from "../../app/cli/quantity.ts";
import type { Transcript } from "../../app/cli/transcript.ts";
import type { ActName } from "./arguments.ts";
import { renderCounts } from "./ledger.ts";
import type { Act, RoomFindings } from "./machine-room.ts";
import { type Facts, judgeLoss, mergeShortSteps, sumOf } from "./report.ts";

/** The object of --json of the machine room. Times in milliseconds. */
export type RoomReport = ReturnType<typeof reportRoom>;

const titles: Readonly<Record<ActName, string>> = {
  lost: "both disks lost",
  kept: "power cut, disks kept",
  rebuild: "rebuilt, volume kept",
  frozen: "frozen and replaced",
};

/** Judges what the machine room found: `ok` only when nothing is in doubt, otherwise `failures` says what is. */
export function reportRoom(findings: RoomFindings, { options, versions, durationMs }: Facts) {
  const { acts, fence, certificates } = findings;
  const failures = [...acts.flatMap((act) => judgeAct(act)), ...judgeFence(findings)];
  for (const { act, comeback, loss } of acts) {
    const { maxRtoMs, maxRpoMs } = options;
    if (maxRtoMs !== null && comeback.rtoMs > maxRtoMs)
      failures.push(`${titles[act]}: RTO ${comeback.rtoMs} ms is over the limit of ${maxRtoMs} ms`);
    if (maxRpoMs !== null && loss.rpoMs > maxRpoMs)
      failures.push(`${titles[act]}: RPO ${loss.rpoMs} ms is over the limit of ${maxRpoMs} ms`);
  }
  return {
    ok: failures.length === 0,
    room: options.room,
    debian: options.debian,
    filesystem: options.filesystem,
    acts: acts.map(describeAct),
    medians: options.times > 1 ? takeMedians(acts) : null,
    fence,
    certificates,
    seed: options.seed,
    failures,
    durationMs: Math.round(durationMs),
    versions,
  };
}

/** Prints RTO and RPO of each act, where the time went, and what is in doubt. */
export function printRoom(report: RoomReport, transcript: Transcript): void {
  for (const { act, rtoMs, imageMs, oursMs, steps, firstBucketWriteMs, rpoMs, lost } of report.acts) {
    transcript.heading(`RTO ${renderSeconds(rtoMs)}  ${titles[act]}, to the first 200 on /ready by HTTPS, of which`);
    for (const { step, durationMs } of mergeShortSteps(steps))
      transcript.line(`    ${renderSeconds(durationMs).padStart(9)}  ${step}`);
    transcript.line(`    The image boots in ${renderSeconds(imageMs)}, we come ${renderSeconds(oursMs)} later.`);
    transcript.line(`    ${renderSeconds(firstBucketWriteMs)} to the first write acknowledged at bucket`);
    const split = renderCounts(lost);
    transcript.line(
      `RPO ${renderSeconds(rpoMs)}  of commit writes, ${sumOf(lost)} acknowledged writes lost (${split})`,
    );
  }
  if (report.medians !== null) {
    const { times, rtoMs, imageMs, oursMs } = report.medians;
    const [rto = "", image = "", ours = ""] = [rtoMs, imageMs, oursMs].map((each) => renderSeconds(each));
    transcript.line(`medians of ${times} times ${titles.lost}: RTO ${rto}, the image ${image}, we come ${ours} later`);
  }
  transcript.line(`${report.certificates} certificates were ordered`);
  if (report.failures.length > 0) transcript.line("");
  for (const failure of report.failures) transcript.check("FAIL", failure, { evidence: "" });
}

function describeAct({ act, comeback, firstBucketWriteMs, loss: { acknowledged, rpoMs, comparison } }: Act) {
  const { rtoMs, imageMs, oursMs, steps } = comeback;
  const { lost, rows, differing, duplicated, unexpected } = comparison;
  const times = { rtoMs, imageMs, oursMs, steps, firstBucketWriteMs, rpoMs };
  return { act, ...times, acknowledged, lost, rows, differing, duplicated, unexpected };
}

/** Of the act that was played several times. */
function takeMedians(acts: readonly Act[]) {
  const comebacks = acts.filter(({ act }) => act === "lost").map(({ comeback }) => comeback);
  const median = (pick: (comeback: (typeof comebacks)[number]) => number) =>
    comebacks.map(pick).toSorted((a, b) => a - b)[Math.floor(comebacks.length / 2)] ?? Number.NaN;
  return {
    times: comebacks.length,
    rtoMs: median(({ rtoMs }) => rtoMs),
    imageMs: median(({ imageMs }) => imageMs),
    oursMs: median(({ oursMs }) => oursMs),
  };
}

function judgeAct({ act, loss }: Act): string[] {
  const title = titles[act];
  const failures = judgeLoss(title, loss);
  const { acknowledged, comparison } = loss;
  if (acknowledged.bucket === 0) failures.push(`${title}: no bucket write was acknowledged, so nothing was tried`);
  // The disks were there all the time, and after an orderly stop everything is in the bucket.
  if ((act === "kept" || act === "rebuild") && comparison.lost.disk > 0)
    failures.push(`${title}: ${comparison.lost.disk} disk writes are lost`);
  if (act === "rebuild" && comparison.lost.commit > 0)
    failures.push(`${title}: ${comparison.lost.commit} commit writes are lost`);
  return failures;
}

function judgeFence({ fence, acts, certificates }: RoomFindings): string[] {
  const failures: string[] = [];
  if (acts.length === 0) failures.push("no disaster was tried");
  // One address has one certificate, whatever becomes of the machines.
  if (certificates !== 1) failures.push(`${certificates} certificates were ordered for one address`);
  if (fence !== null && fence.acknowledgedAfterClaim > 0)
    failures.push(`${fence.acknowledgedAfterClaim} bucket writes were acknowledged by a machine that was superseded`);
  return failures;
}
