import { randomInt } from "node:crypto";
import { existsSync, mkdirSync, statSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";

import type { Transcript } from "../cli/transcript.ts";
import { sizeOf } from "../durable-file.ts";
import { BucketError, mayPass } from "../replica/bucket-error.ts";
import { type Bucket, openBucket } from "../replica/bucket.ts";
import { adviseOnStore, diagnoseEndpoint } from "../replica/diagnose-store.ts";
import type { Head } from "../replica/head.ts";
import { pageLimitMs } from "../replica/lister.ts";
import { readMark } from "../replica/mark.ts";
import { ShapeError } from "../replica/parse-json.ts";
import { type RehearsingMachine, runRehearsal } from "../replica/rehearsal-process.ts";
import type { Finding, Rehearsal } from "../replica/rehearsal.ts";
import { chooseDirectory } from "./needs.ts";
import { Scratch } from "./scratch.ts";
import {
  type BucketSurvey,
  countFilesTo,
  keepTheMachine,
  listPoints,
  type Outcome,
  Settled,
  surveyBucket,
} from "./survey-bucket.ts";
import {
  type Check,
  findWorst,
  markOf,
  putReport,
  renderCopy,
  renderNeeds,
  renderSize,
  type VerifyReport,
} from "./verify-report.ts";

/** Where the bucket is, by which key it is read, and whether this is the machine whose database it holds. */
export type VerifyPlace = Omit<RehearsingMachine, "bucketId"> & { bucketId: string | null; isMachine: boolean };

export type VerifyLimits = {
  /** How many states of the past are restored too. */
  points: number;
  limitMs: number;
  mostRequests: number;
  mostBytes: number | null;
  directory: string | null;
  dryRun: boolean;
};

const callMs = 15_000;
const stallMs = 120_000;
const again = "verify again when the store answers";

/** Verifies and puts the report into the bucket where the key may write it. */
export async function verifyReplica(
  place: VerifyPlace,
  limits: VerifyLimits,
  transcript: Transcript,
): Promise<VerifyReport> {
  const verification = new Verification(place, limits, transcript);
  const report = await verification.run();
  if (!limits.dryRun) await putReport(verification.bucket, report, transcript);
  return report;
}

class Verification {
  readonly bucket: Bucket;
  readonly #place: VerifyPlace;
  readonly #limits: VerifyLimits;
  readonly #transcript: Transcript;
  readonly #deadline: number;
  readonly #report: VerifyReport;

  constructor(place: VerifyPlace, limits: VerifyLimits, transcript: Transcript) {
    const { limitMs } = limits;
    this.bucket = openBucket(place.bucket, {
      callMs: Math.min(callMs, limitMs),
      listMs: Math.min(pageLimitMs, limitMs),
    });
    this.#place = place;
    this.#limits = limits;
    this.#transcript = transcript;
    this.#deadline = performance.now() + limitMs;
    this.#report = {
      outcome: "pass",
      cause: null,
      next: null,
      startedAt: new Date().toISOString(),
      durationMs: 0,
      by: place.isMachine ? place.machineId : hostname(),
      bucket: place.bucket.bucket,
      epoch: null,
      headMachine: null,
      notCompared: null,
      needs: null,
      checks: [],
    };
  }

  async run(): Promise<VerifyReport> {
    const startedAt = performance.now();
    try {
      await this.#verify();
    } catch (error) {
      const { outcome, cause, next } = await this.#settle(error);
      Object.assign(this.#report, { outcome, cause, next });
      this.#transcript.check(markOf(outcome), "read the bucket", { evidence: cause });
    }
    return { ...this.#report, durationMs: Math.round(performance.now() - startedAt) };
  }

  async #verify(): Promise<void> {
    const survey = await surveyBucket(this.bucket, this.#place.bucketId);
    const { head, epoch, newestTxid, note } = survey;
    this.#report.epoch = epoch;
    this.#report.headMachine = head.machine;
    this.#report.notCompared = this.#findObstacle(survey);
    const evidence = `epoch ${epoch}, TXID ${newestTxid}, of machine ${head.machine}`;
    this.#transcript.check("PASS", "read the bucket", { evidence });
    if (note !== null) this.#transcript.check("WARN", "head is opening", { evidence: note });
    const points = choosePoints(survey, this.#limits.points);
    const files = points.map((txid) => countFilesTo(epoch, survey.keys, txid));
    const needs = chooseDirectory(this.#place, survey, { ...this.#limits, files: [survey.files, ...files] });
    this.#report.needs = needs;
    this.#transcript.line(renderNeeds(needs, this.#limits));
    if (this.#limits.dryRun) {
      this.#report.outcome = "planned";
      return;
    }
    await using scratch = new Scratch(needs.directory);
    await this.#check(scratch, survey, null);
    for (const txid of points) await this.#check(scratch, survey, txid);
    const worst = findWorst(this.#report.checks);
    if (worst === undefined || worst.outcome === "pass") return;
    Object.assign(this.#report, { outcome: worst.outcome, cause: worst.cause, next: worst.next });
  }

  /** Why there is no live database to compare with. Null when there is one. */
  #findObstacle({ head, epoch }: BucketSurvey): string | null {
    const { files, isMachine } = this.#place;
    if (!isMachine) return "this is not the machine";
    const mark = readMark(files.mark);
    if (mark?.nonce !== head.nonce || epoch !== head.epoch) return explainOther(head);
    if (!existsSync(files.litestreamSocket)) return "Litestream does not run here";
    const owner = statSync(files.database).uid;
    // SQLite would leave files that the app may not open.
    if (process.geteuid?.() !== owner) return `the database belongs to user ${owner}, who must verify`;
    return null;
  }

  /** Restores one state and judges it; null is the newest. */
  async #check(scratch: Scratch, { epoch, newestTxid }: BucketSurvey, txid: string | null): Promise<void> {
    const live = txid === null && this.#report.notCompared === null;
    const directory = join(scratch.path, txid ?? "newest");
    const isTight = this.#report.needs?.isTight ?? false;
    const rehearsal = { epoch, live, depth: "full" as const, directory, isTight, ...(txid !== null && { txid }) };
    const name = txid === null ? "restore the newest state and check it" : `restore TXID ${txid}`;
    const startedAt = performance.now();
    const act = () => this.#rehearse(scratch, rehearsal);
    const measure = () => Math.max(...["app.db", "app.db.tmp"].map((file) => sizeOf(join(directory, "db", file))));
    this.#transcript.showProgress(() => `${renderSize(measure())} restored`);
    const judged = await this.#transcript.judge(name, act, ({ outcome, cause, copy, compared }) => ({
      mark: markOf(outcome),
      evidence: cause ?? renderCopy(copy, compared),
    }));
    const durationMs = Math.round(performance.now() - startedAt);
    this.#report.checks.push({ ...judged, txid: judged.copy?.txid ?? txid ?? newestTxid, durationMs });
  }

  async #rehearse(
    scratch: Scratch,
    rehearsal: Rehearsal & { directory: string },
  ): Promise<Omit<Check, "txid" | "durationMs">> {
    const { limitMs } = this.#limits;
    const leftMs = this.#deadline - performance.now();
    const open = { outcome: "inconclusive", copy: null, compared: null } as const;
    const late = { ...open, cause: `not done within --limit ${limitMs / 1000}s`, next: "give it more time: --limit" };
    if (leftMs <= 0) return late;
    mkdirSync(rehearsal.directory, { mode: 0o700 });
    const machine = { ...this.#place, bucketId: this.#place.bucketId ?? "" };
    const restoreStallMs = Math.min(stallMs, limitMs);
    const options = { limitMs: leftMs, restoreStallMs, onGroup: (group: number) => scratch.guard(group) };
    try {
      const finding = await runRehearsal(machine, rehearsal, options);
      return { ...judgeFinding(finding), copy: finding.copy, compared: finding.compared };
    } catch (error) {
      if (performance.now() >= this.#deadline) return late;
      return { ...open, cause: error instanceof Error ? error.message : String(error), next: again };
    }
  }

  async #settle(thrown: unknown): Promise<{ outcome: Exclude<Outcome, "pass">; cause: string; next: string }> {
    if (thrown instanceof Settled) return { outcome: thrown.outcome, cause: thrown.message, next: thrown.next };
    const error = await diagnoseEndpoint(thrown, this.#place.bucket);
    if (!(error instanceof BucketError || error instanceof ShapeError)) throw error;
    // A key that the store does not know is none that a machine could restore with.
    const isPassing = mayPass(error) && !(error instanceof BucketError && error.kind === "key-unknown");
    const next = isPassing ? again : (adviseOnStore(error) ?? "check the key");
    return { outcome: isPassing ? "inconclusive" : "fail", cause: error.message, next };
  }
}

function explainOther({ epoch, machine, state }: Head): string {
  return `this machine's database is not that of head (epoch ${epoch}, ${state}, of machine ${machine})`;
}

/** Some states of the past, each another one, the oldest first. */
function choosePoints({ keys }: BucketSurvey, count: number): string[] {
  const left = count === 0 ? [] : listPoints(keys);
  const chosen: string[] = [];
  while (chosen.length < count && left.length > 0) chosen.push(...left.splice(randomInt(left.length), 1));
  return chosen.toSorted();
}

function judgeFinding({ verdict, isDenied }: Finding): Pick<Check, "outcome" | "cause" | "next"> {
  if (verdict.state === "sound") return { outcome: "pass", cause: null, next: null };
  const { state, cause } = verdict;
  if (state === "broken") return { outcome: "fail", cause, next: keepTheMachine };
  if (state === "damaged-here")
    return { outcome: "fail", cause, next: "this machine's own database is damaged: docs/runbooks/not-ready.md" };
  if (isDenied) return { outcome: "fail", cause, next: "give this key the right to read epochs/ (s3:GetObject)" };
  return { outcome: "inconclusive", cause, next: again };
}
