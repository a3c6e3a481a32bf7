import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";

import { expect, test } from "vitest";

import type { Job } from "../../app/background/job.ts";
import { waitFor } from "../../app/cli/wait-for.ts";
import { readJobRuns } from "../../app/database/job-runs.ts";
import { House } from "./house.ts";

const until = (what: string, isTrue: () => boolean) =>
  waitFor(what, async () => (isTrue() ? true : null), { timeoutMs: 10_000, everyMs: 5 });
const at = (text: string) => Date.parse(`2026-11-${text}Z`);

/** A wall clock that the test sets. */
function makeClock(text: string) {
  const clock = { ms: at(text), nowMs: () => clock.ms, set: (to: string) => void (clock.ms = at(to)) };
  return clock;
}

/** A job whose runs the test sees. */
function watch(schedule = "* * * * *", run: Job["run"] = () => Promise.resolve()) {
  const dues: string[] = [];
  const job: Job = {
    name: "tick",
    schedule,
    run: async (context) => {
      dues.push(context.dueAt.toISOString().slice(8, 16));
      await run(context);
    },
  };
  return { job, dues };
}

test.each(["fence", "stop"])("a run that a %s meets while it is noted does not begin", async (end) => {
  await using house = new House();
  const clock = makeClock("26T12:00:30");
  const { job, dues } = watch();
  const background = house.start([], [job], { nowMs: clock.nowMs });
  await until("the job is known", () => house.read(readJobRuns()).length === 1);
  house.afterCommit = () => {
    if (end === "stop") void background.stop(1_000);
    else background.abort();
  };
  clock.set("26T12:01");
  await until("the note", () => house.read(readJobRuns())[0]?.due_at === at("26T12:01"));
  await sleep(50);
  expect(dues).toEqual([]);
  house.afterCommit = () => undefined;
  // The next machine cannot know that it did not begin.
  house.start([], [job], { nowMs: clock.nowMs });
  await until("the run", () => dues.length === 1);
});

test("a run whose note takes longer than a proof counts begins after another proof", async () => {
  await using house = new House();
  const clock = makeClock("26T12:00:30");
  const proofs: number[] = [];
  const { job, dues } = watch("* * * * *", async () => void proofs.push(house.proofs));
  const background = house.start([], [job], { nowMs: clock.nowMs, limits: { proofAgeMs: 200 } });
  await until("the job is known", () => house.read(readJobRuns()).length === 1);
  const before = house.proofs;
  house.afterCommit = () => sleep(300);
  clock.set("26T12:01");
  await until("the run", () => background.describeJobs().jobs[0]?.lastOutcome === "done");
  expect([dues, proofs]).toEqual([["26T12:01"], [before + 2]]);
});

test("what was missed is told with the run that makes up for it, and no longer after the next one", async () => {
  await using house = new House();
  const clock = makeClock("26T12:00:30");
  const { job } = watch();
  const background = house.start([], [job], { nowMs: clock.nowMs });
  const ran = (time: string) => {
    const [state] = background.describeJobs().jobs;
    return state?.lastDueAt?.slice(11, 16) === time && state.lastOutcome === "done";
  };
  await until("the job is known", () => house.read(readJobRuns()).length === 1);
  clock.set("26T12:05:10");
  await until("a run", () => ran("12:05"));
  expect(background.describeJobs().jobs).toMatchObject([{ missed: 4 }]);
  clock.set("26T12:06");
  await until("the next run", () => ran("12:06"));
  expect(background.describeJobs().jobs).toMatchObject([{ missed: 0 }]);
});

test.each(["never ran", "has run", "was cut off"])(
  "a new schedule of a job that %s has missed nothing",
  async (past) => {
    await using house = new House();
    const clock = makeClock("26T02:59:30");
    const old = watch("0 3 * * *", () => (past === "was cut off" ? new Promise(() => undefined) : Promise.resolve()));
    const first = house.start([], [old.job], { nowMs: clock.nowMs });
    await until("the job is known", () => house.read(readJobRuns()).length === 1);
    if (past !== "never ran") {
      clock.set("26T03:00");
      await until("a run", () => old.dues.length === 1);
      if (past === "has run") await until("its end", () => house.read(readJobRuns())[0]?.outcome === "done");
    }
    await first.stop(10);
    const before = past === "never ran" ? null : "2026-11-26T03:00:00.000Z";
    clock.set("26T12:00:30");
    const { job, dues } = watch();
    const background = house.start([], [job], { nowMs: clock.nowMs });
    await until("the new schedule", () => house.read(readJobRuns())[0]?.schedule === "* * * * *");
    expect(dues).toEqual(past === "was cut off" ? ["26T03:00"] : []);
    expect(background.describeJobs().jobs).toMatchObject([
      { lastDueAt: before, missed: 0, nextAt: "2026-11-26T12:01:00.000Z" },
    ]);
    clock.set("26T12:01");
    await until("its first run", () => dues.at(-1) === "26T12:01");
    await until("the end", () => house.read(readJobRuns())[0]?.outcome === "done");
    expect(background.describeJobs().jobs).toMatchObject([{ missed: 0 }]);
  },
);

test("a run that a fence meets is told by its signal, writes nothing more, and is left to the next machine", async () => {
  await using house = new House();
  const clock = makeClock("26T12:00:30");
  const after = Promise.withResolvers<unknown>();
  const { job, dues } = watch("* * * * *", async ({ execute, signal }) => {
    await once(signal, "abort");
    // As a job does that listens to nothing.
    await execute({ name: "send-one", run: neverRun }, {}).catch(after.resolve);
  });
  const background = house.start([], [job], { nowMs: clock.nowMs });
  await until("the job is known", () => house.read(readJobRuns()).length === 1);
  clock.set("26T12:01");
  await until("the run", () => dues.length === 1);
  house.state = "fenced";
  background.abort();
  expect(await after.promise).toMatchObject({ message: "the server stops" });
  clock.set("26T12:02");
  await sleep(50);
  expect([dues, house.read(readJobRuns())[0]?.outcome]).toEqual([["26T12:01"], "running"]);
});

function neverRun(): never {
  throw new Error("this command must not run");
}
