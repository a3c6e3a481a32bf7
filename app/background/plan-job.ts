import type { JobRun } from "../database/job-runs.ts";
import type { Schedule } from "./schedule.ts";

/**
 * What is to be done about a job now. `know`: note that its times count from now on. `run`: for this time of its
 * schedule; `missed` earlier ones had no run. `give-up`: a run that was cut off twice.
 */
export type JobPlan =
  | { do: "wait"; untilMs: number | null; isBehind: boolean }
  | { do: "know"; cause: string | null }
  | { do: "run"; dueMs: number; missed: number; isAgain: boolean }
  | { do: "give-up"; dueMs: number };

/**
 * Decides by the wall clock and by what is known of the job. A time of the schedule that was dealt with is never dealt
 * with again, so a clock that is set back makes the job wait. One that was set back by more than a day was wrong
 * before, and would make it wait for years: then the times count from now.
 */
export function planJob(schedule: Schedule, known: JobRun | undefined, nowMs: number): JobPlan {
  if (known === undefined) return { do: "know", cause: null };
  const { due_at: dealtMs, outcome } = known;
  if (dealtMs > nowMs + dayMs) {
    const words = `its newest run was for ${new Date(dealtMs).toISOString()}, which is to come`;
    return { do: "know", cause: `the clock was set back: ${words}` };
  }
  const wasCutOff = outcome === "running" || outcome === "again";
  const latest = schedule.latestUntil(nowMs);
  if (latest !== null && latest > dealtMs) {
    const missed = schedule.countBetween(dealtMs, latest) + (wasCutOff ? 1 : 0);
    return { do: "run", dueMs: latest, missed, isAgain: false };
  }
  if (outcome === "running") return { do: "run", dueMs: dealtMs, missed: 0, isAgain: true };
  if (outcome === "again") return { do: "give-up", dueMs: dealtMs };
  const isBehind = outcome !== "known" && dealtMs > nowMs;
  return { do: "wait", untilMs: schedule.nextAfter(Math.max(dealtMs, nowMs)), isBehind };
}

const dayMs = 24 * 60 * 60 * 1000;
