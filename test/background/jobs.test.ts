import { setTimeout as sleep } from "node:timers/promises";

import { expect, test } from "vitest";

import type { Job, JobContext } from "../../app/background/job.ts";
import { planJob } from "../../app/background/plan-job.ts";
import { Schedule } from "../../app/background/schedule.ts";
import { waitFor } from "../../app/cli/wait-for.ts";
import { type JobRun, readJobRuns } from "../../app/database/job-runs.ts";
import { defineReport, ReportEnded } from "../../app/database/report.ts";
import type { Reading } from "../../app/database/transaction.ts";
import { NotReplicated } from "../../app/replica/replication-options.ts";
import { House } from "./house.ts";

const until = (what: string, isTrue: () => boolean) =>
  waitFor(what, async () => (isTrue() ? true : null), { timeoutMs: 10_000, everyMs: 5 });

const at = (text: string) => Date.parse(`2026-11-${text}Z`);
const nightly = new Schedule({ name: "nightly", schedule: "0 3 * * *" });
const sums = defineReport("sums", (input: { from: string }): Reading<unknown> => {
  throw new Error(`${input.from} is read in the process of reports`);
});
const ranAt = (text: string, outcome: JobRun["outcome"] = "done"): JobRun => ({
  name: "nightly",
  due_at: at(text),
  outcome,
  cause: null,
  noted_at: 0,
  missed: 0,
  schedule: "0 3 * * *",
  since: null,
});

test.each<[string, JobRun | undefined, string, object]>([
  ["never known", undefined, "26T12:00", { do: "know", cause: null }],
  ["before its time", ranAt("25T03:00"), "26T02:59:59.999", { do: "wait", untilMs: at("26T03:00"), isBehind: false }],
  ["at its time", ranAt("25T03:00"), "26T03:00", { do: "run", dueMs: at("26T03:00"), missed: 0, again: null }],
  ["three days down", ranAt("22T03:00"), "26T04:00", { do: "run", dueMs: at("26T03:00"), missed: 3, again: null }],
  ["a clock set back a little", ranAt("26T03:00"), "26T02:55", { do: "wait", untilMs: at("27T03:00"), isBehind: true }],
  [
    "a clock set back by weeks",
    ranAt("26T03:00"),
    "01T12:00",
    { do: "know", cause: expect.stringContaining("2026-11-26") },
  ],
  [
    "a run that was cut off",
    ranAt("26T03:00", "running"),
    "26T03:01",
    { do: "run", dueMs: at("26T03:00"), missed: 0, again: ranAt("26T03:00", "running") },
  ],
  [
    "a run that was cut off twice",
    ranAt("26T03:00", "again"),
    "26T03:01",
    { do: "give-up", known: ranAt("26T03:00", "again") },
  ],
  [
    "a cut off run, and the next time",
    ranAt("25T03:00", "running"),
    "26T03:00",
    { do: "run", dueMs: at("26T03:00"), missed: 1, again: null },
  ],
])("what is done about a job: %s", (_, known, now, plan) => {
  expect(planJob(nightly, known, at(now))).toEqual(plan);
});

/** A job whose runs the test sees. */
function watch(run: (context: JobContext) => Promise<void> | void = () => undefined, schedule = "* * * * *") {
  const dues: string[] = [];
  const job: Job = {
    name: "tick",
    schedule,
    run: async (context) => {
      dues.push(context.dueAt.toISOString().slice(11, 19));
      await run(context);
    },
  };
  return { job, dues };
}

/** A wall clock that the test sets. */
function makeClock(text: string) {
  const clock = { ms: at(text), nowMs: () => clock.ms, set: (to: string) => void (clock.ms = at(to)) };
  return clock;
}

const fast = { jobLimitMs: 500 };

test("a job is known, runs when its time has come, and says how it went; after a clock jump only the latest", async () => {
  await using house = new House();
  const clock = makeClock("26T12:00:30");
  const { job, dues } = watch();
  const background = house.start([], [job], { nowMs: clock.nowMs, limits: fast });
  await until("the job is known", () => house.read(readJobRuns()).length === 1);
  expect(dues).toEqual([]);
  clock.set("26T12:05:10");
  await until("a run", () => background.describeJobs().jobs[0]?.lastOutcome === "done");
  expect(dues).toEqual(["12:05:00"]);
  clock.set("26T12:04:59");
  await sleep(100);
  expect(dues).toEqual(["12:05:00"]);
  expect(background.describeJobs().jobs).toMatchObject([
    { name: "tick", nextAt: "2026-11-26T12:06:00.000Z", lastDueAt: "2026-11-26T12:05:00.000Z", missed: 4, cause: null },
  ]);
  expect(house.logged.logged.map(({ event }) => event)).toContain(
    "runs of a job were missed; the latest is made up for",
  );
});

test("no job runs without a proof, and none after a fence", async () => {
  await using house = new House();
  const clock = makeClock("26T12:00:30");
  const { job, dues } = watch();
  house.refusal = new NotReplicated("the bucket is away");
  const background = house.start([], [job], { nowMs: clock.nowMs, limits: fast });
  await until("a cause", () => background.describeJobs().held === "the bucket is away");
  expect(house.read(readJobRuns())).toEqual([]);
  house.refusal = null;
  await until("the job is known", () => house.read(readJobRuns()).length === 1);
  const { promise, resolve } = Promise.withResolvers<void>();
  house.prove = () => promise;
  clock.set("26T12:01:00");
  const before = house.proofs;
  await until("a proof is asked for", () => house.proofs > before);
  background.abort();
  resolve();
  await sleep(50);
  expect(dues).toEqual([]);
});

test("a job that throws, and one that never ends, have failed; the next time counts again", async () => {
  await using house = new House();
  const clock = makeClock("26T12:00:30");
  const { job, dues } = watch(({ dueAt }) => {
    if (dueAt.getTime() === at("26T12:01")) throw new Error("no disk", { cause: new Error("full") });
    return new Promise<void>(() => undefined);
  });
  const background = house.start([], [job], { nowMs: clock.nowMs, limits: { jobLimitMs: 50 } });
  const cause = () => background.describeJobs().jobs[0]?.cause;
  await until("the job is known", () => house.read(readJobRuns()).length === 1);
  clock.set("26T12:01:00");
  await until("a failure", () => cause() === "no disk: full");
  clock.set("26T12:02:00");
  await until("a limit", () => cause() === "it took longer than 0.05 s");
  expect(dues).toEqual(["12:01:00", "12:02:00"]);
});

test("a run that is longer than its period misses times, which are told, and never runs beside itself", async () => {
  await using house = new House();
  const clock = makeClock("26T12:00:30");
  let running = 0;
  let most = 0;
  const { job, dues } = watch(async () => {
    most = Math.max(most, (running += 1));
    if (clock.ms === at("26T12:01")) clock.set("26T12:04:30");
    await sleep(20);
    running -= 1;
  });
  const background = house.start([], [job], { nowMs: clock.nowMs, limits: fast });
  await until("the job is known", () => house.read(readJobRuns()).length === 1);
  clock.set("26T12:01");
  await until("two runs", () => dues.length === 2 && background.describeJobs().jobs[0]?.lastOutcome === "done");
  expect([dues, most, background.describeJobs().jobs[0]?.missed]).toEqual([["12:01:00", "12:04:00"], 1, 2]);
});

test("a run that a stop cuts off is repeated once by the next start", async () => {
  await using house = new House();
  const clock = makeClock("26T12:00:30");
  const first = watch(() => new Promise<void>(() => undefined));
  const stopping = house.start([], [first.job], { nowMs: clock.nowMs });
  await until("the job is known", () => house.read(readJobRuns()).length === 1);
  clock.set("26T12:01");
  await until("a run", () => first.dues.length === 1);
  await stopping.stop(10);
  const second = watch();
  house.start([], [second.job], { nowMs: clock.nowMs });
  await until("the end of it", () => house.read(readJobRuns())[0]?.outcome === "done");
  expect(second.dues).toEqual(first.dues);
});

test("a job's report waits until it can begin, and fails the run when it was ended", async () => {
  await using house = new House();
  const ends = ["reports-paused", "reports-queue-full"] as const;
  const limits = { runMs: 1, mostWaiting: 1, memoryBytes: 1, answerBytes: 1 };
  let asked = 0;
  house.runReport = async (name, input) => {
    const reason = ends[asked++];
    if (reason !== undefined) throw new ReportEnded(reason, limits);
    if (asked > 3) throw new ReportEnded("report-out-of-time", limits);
    return JSON.stringify({ name, input });
  };
  const results: unknown[] = [];
  const job: Job = {
    name: "sums",
    schedule: "* * * * *",
    run: async ({ report }) => {
      for (;;) results.push(await report(sums, { from: "2026" }));
    },
  };
  const times = [at("26T12:00"), at("26T12:01")];
  house.start([], [job], { nowMs: () => times[0] ?? 0 });
  await until("the job is known", () => house.read(readJobRuns()).length === 1);
  times.shift();
  await until("the end of it", () => house.read(readJobRuns())[0]?.outcome === "failed");
  expect(results).toEqual([{ name: "sums", input: { from: "2026" } }]);
  expect(house.read(readJobRuns())[0]?.cause).toContain("report-out-of-time");
});
