import { type JobRun, noteJobRun, readJobRuns } from "../database/job-runs.ts";
import type { Reader } from "../database/reader.ts";
import type { Reports } from "../database/reports.ts";
import type { Writer } from "../database/writer.ts";
import type { Log } from "../log.ts";
import type { Moment } from "../replica/elapsed.ts";
import { RareCauses } from "../replica/rare-causes.ts";
import type { Job, JobContext } from "./job.ts";
import { describeError, pause, runLimited, runPatiently } from "./limited.ts";
import type { Ownership } from "./ownership.ts";
import { type JobPlan, planJob } from "./plan-job.ts";
import { Schedule } from "./schedule.ts";

export type SchedulerOptions = {
  jobs: readonly Job[];
  reader: Pick<Reader, "read">;
  reports: Pick<Reports, "run">;
  writer: Pick<Writer, "execute">;
  ownership: Ownership;
  /** Nothing is begun any more. */
  closing: AbortSignal;
  /** What is under way is given up. */
  aborting: AbortSignal;
  log: Log;
  /** How long one run may take. */
  jobLimitMs: number;
  /** The wall clock. */
  nowMs: () => number;
};

/** What can be seen of a job. */
export type JobState = {
  name: string;
  schedule: string;
  /** The next time of its schedule, null when there is none. */
  nextAt: string | null;
  /** The time of its schedule that it ran for last, and how that went; null before its first run. */
  lastDueAt: string | null;
  lastOutcome: "running" | "done" | "failed" | null;
  lastNotedAt: string | null;
  cause: string | null;
  /** How many times of its schedule passed without a run right before the newest one. */
  missed: number;
};

type Entry = { job: Job; schedule: Schedule };
type RunPlan = Extract<JobPlan, { do: "run" }>;
type Due = Entry & { plan: Exclude<JobPlan, { do: "wait" }> };

// How late a job may be after the clock was set, for a timer knows nothing of that.
const longestWaitMs = 1_000;
const heldPauseMs = 1_000;

/** Runs jobs at the times of their schedules, one at a time, each only after a proof that this machine owns head. */
export class Scheduler {
  readonly #options: SchedulerOptions;
  readonly #entries: readonly Entry[];
  /** The times for which it was told that the clock is behind. */
  readonly #toldBehind = new Map<string, number>();
  readonly #causes = new RareCauses();

  constructor(options: SchedulerOptions) {
    this.#options = options;
    this.#entries = options.jobs.map((job) => ({ job, schedule: new Schedule(job) }));
  }

  /** What is known of each job, in the order in which the product names them. */
  describe(): JobState[] {
    const nowMs = this.#options.nowMs();
    const runs = this.#readRuns();
    return this.#entries.map(({ job: { name, schedule: pattern }, schedule }) => {
      const run = runs.get(name);
      const next = schedule.nextAfter(Math.max(nowMs, run?.due_at ?? 0, run?.since ?? 0));
      const hasRun = run !== undefined && run.outcome !== "known";
      return {
        name,
        schedule: pattern,
        nextAt: next === null ? null : new Date(next).toISOString(),
        lastDueAt: hasRun ? new Date(run.due_at).toISOString() : null,
        lastOutcome: describeOutcome(run),
        lastNotedAt: hasRun ? new Date(run.noted_at).toISOString() : null,
        cause: run?.cause ?? null,
        missed: run?.missed ?? 0,
      };
    });
  }

  /** Runs what is due, until it is told to close. */
  async run(): Promise<void> {
    const { closing, log } = this.#options;
    if (this.#entries.length === 0) return;
    while (!closing.aborted) {
      try {
        await pause(await this.#runDue(), closing);
      } catch (error) {
        if (!closing.aborted && this.#causes.isNews(describeError(error)))
          log.error({ err: error }, "jobs cannot be read or noted");
        await pause(heldPauseMs, closing);
      }
    }
  }

  /** Does the one thing that has been due for longest, if there is any. Returns how long to wait then. */
  async #runDue(): Promise<number> {
    const { ownership, nowMs } = this.#options;
    const runs = this.#readRuns();
    const now = nowMs();
    let waitMs = longestWaitMs;
    const due: Due[] = [];
    for (const entry of this.#entries) {
      const known = runs.get(entry.job.name);
      const plan = planJob(entry.schedule, known, now);
      if (plan.do !== "wait") due.push({ ...entry, plan });
      else waitMs = Math.min(waitMs, (plan.untilMs ?? Infinity) - now);
      if (plan.do === "wait" && plan.isBehind) this.#tellBehind(entry, known);
    }
    const [first] = due.toSorted((left, right) => dueMsOf(left) - dueMsOf(right));
    if (first === undefined) return Math.max(1, waitMs);
    const proof = await ownership.prove();
    if (proof === null || !ownership.isFresh(proof)) return heldPauseMs;
    await this.#carryOut(first, proof);
    return 0;
  }

  async #carryOut({ job, plan }: Due, proof: Moment): Promise<void> {
    const { log, nowMs } = this.#options;
    const { name, schedule } = job;
    const now = nowMs();
    const counting = { name, schedule, since: now, noted_at: now };
    if (plan.do === "know") {
      const { cause } = plan;
      await this.#note({ ...counting, due_at: now, outcome: "known", cause, missed: 0 });
      if (cause !== null) log.warn({ job: name, cause }, "the times of a job count from now, not from its newest run");
    } else if (plan.do === "reschedule") {
      await this.#note({ ...plan.known, schedule, since: now });
      log.info({ job: name, schedule, before: plan.known.schedule }, "a job has a new schedule, which counts from now");
    } else if (plan.do === "give-up") {
      const cause = "the process ended twice before this run did";
      await this.#note({ ...plan.known, noted_at: now, outcome: "failed", cause });
      log.error({ job: name, dueAt: new Date(plan.known.due_at).toISOString(), cause }, "a job failed");
    } else await this.#begin(job, plan, proof);
  }

  async #begin(job: Job, { dueMs, missed, again }: RunPlan, proof: Moment): Promise<void> {
    const { log, nowMs } = this.#options;
    const { name, schedule } = job;
    const fields = { job: name, dueAt: new Date(dueMs).toISOString() };
    if (missed > 0 && again === null)
      log.warn({ ...fields, missed }, "runs of a job were missed; the latest is made up for");
    const times = { due_at: dueMs, noted_at: nowMs(), missed };
    const run: JobRun =
      again === null
        ? { name, schedule, since: dueMs, cause: null, outcome: "running", ...times }
        : { ...again, outcome: "again", ...times };
    await this.#note(run);
    if (await this.#isStillOurs(proof)) await this.#runJob(job, run);
  }

  /** The note may have taken long. False only when we are about to end: the next start takes the run for cut off. */
  async #isStillOurs(proof: Moment): Promise<boolean> {
    const { ownership, closing } = this.#options;
    for (let latest: Moment | null = proof; !closing.aborted; latest = await ownership.prove()) {
      if (latest !== null && ownership.isFresh(latest)) return true;
      if (latest === null) await pause(heldPauseMs, closing);
    }
    return false;
  }

  async #runJob(job: Job, run: JobRun): Promise<void> {
    const { aborting, log, jobLimitMs, nowMs } = this.#options;
    const { due_at: dueMs } = run;
    const fields = { job: job.name, dueAt: new Date(dueMs).toISOString() };
    const startedAt = performance.now();
    let cause: string | null = null;
    try {
      await runLimited((signal) => job.run(this.#makeContext(dueMs, signal)), jobLimitMs, aborting);
      log.info({ ...fields, durationMs: Math.round(performance.now() - startedAt) }, "a job is done");
    } catch (error) {
      // Cut off: its row says that it runs, so the next start runs it once more.
      if (aborting.aborted) return;
      cause = describeError(error);
      log.error({ ...fields, err: error }, "a job failed");
    }
    const outcome = cause === null ? "done" : "failed";
    await this.#note({ ...run, outcome, cause, noted_at: nowMs() });
  }

  #makeContext(dueMs: number, signal: AbortSignal): JobContext {
    const { reader, reports, writer, log } = this.#options;
    return {
      dueAt: new Date(dueMs),
      reader,
      execute: async (command, input) => {
        signal.throwIfAborted();
        const { result } = await writer.execute(command.name, input, { durability: "disk" });
        // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the result of this very command
        return result as never;
      },
      report: async ({ name }, input) => runPatiently(reports, { name, input, signal }),
      signal,
      log,
    };
  }

  /** Tries until the writer takes it: a run whose end is not noted would count as cut off. */
  async #note(run: Parameters<typeof noteJobRun.run>[0]): Promise<void> {
    const { writer, closing, log } = this.#options;
    for (let isNews = true; ; isNews = false) {
      try {
        await writer.execute(noteJobRun.name, run, { durability: "disk" });
        return;
      } catch (error) {
        if (closing.aborted) throw error;
        if (isNews) log.warn({ job: run.name, err: error }, "a run of a job cannot be noted yet");
        await pause(heldPauseMs, closing);
      }
    }
  }

  #tellBehind({ job: { name }, schedule }: Entry, known: JobRun | undefined): void {
    if (known === undefined || this.#toldBehind.get(name) === known.due_at) return;
    this.#toldBehind.set(name, known.due_at);
    const next = schedule.nextAfter(known.due_at);
    const nextAt = next === null ? null : new Date(next).toISOString();
    const cause = "the clock was set back: times that had a run get no second one";
    this.#options.log.warn({ job: name, nextAt, cause }, "a job waits for a clock that was set back");
  }

  #readRuns(): ReadonlyMap<string, JobRun> {
    return new Map(this.#options.reader.read(readJobRuns()).map((run) => [run.name, run]));
  }
}

function dueMsOf({ plan }: Due): number {
  if (plan.do === "give-up") return plan.known.due_at;
  return plan.do === "run" ? plan.dueMs : 0;
}

function describeOutcome(run: JobRun | undefined): JobState["lastOutcome"] {
  if (run === undefined || run.outcome === "known") return null;
  return run.outcome === "again" ? "running" : run.outcome;
}
