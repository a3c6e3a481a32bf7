import type { JobRun } from "../database/job-runs.ts";
import type { Schedule } from "./schedule.ts";

/**
 * What is to be done about a job now. `know`: note that its times count from now on. `reschedule`: the same for those of
 * a new schedule; its newest run stays noted. `run`: for this time of its schedule; `missed` earlier ones had no run.
 * `give-up`: a run that was cut off twice.
 */
export type JobPlan =
  | { do: "wait"; untilMs: number | null; isBehind: boolean }
  | { do: "know"; cause: string | null }
  | { do: "reschedule"; known: JobRun }
  | { do: "run"; dueMs: number; missed: number; again: JobRun | null }
  | { do: "give-up"; known: JobRun };

/**
 * Decides by the wall clock and by what is known of the job. A time of the schedule that was dealt with is never dealt
 * with again, so a clock that is set back makes the job wait. One that was set back by more than a day was wrong
 * before, and would make it wait for years: then the times count from now. A new schedule has missed nothing: its times
 * count from the start that sees it first, after the repetition of a run that was cut off.
 */
export function planJob(schedule: Schedule, known: JobRun | undefined, nowMs: number): JobPlan {
  if (known === undefined) return { do: "know", cause: null };
  const { outcome } = known;
  const dealtMs = Math.max(known.due_at, known.since ?? 0);
  if (dealtMs > nowMs + dayMs) {
    const words = `its newest run was for ${new Date(dealtMs).toISOString()}, which is to come`;
    return { do: "know", cause: `the clock was set back: ${words}` };
  }
  const wasCutOff = outcome === "running" || outcome === "again";
  const isNewSchedule = known.schedule !== null && known.schedule !== schedule.pattern;
  const latest = isNewSchedule ? null : schedule.latestUntil(nowMs);
  if (latest !== null && latest > dealtMs) {
    const missed = schedule.countBetween(dealtMs, latest) + (wasCutOff ? 1 : 0);
    return { do: "run", dueMs: latest, missed, again: null };
  }
  if (outcome === "running") return { do: "run", dueMs: known.due_at, missed: known.missed, again: known };
  if (outcome === "again") return { do: "give-up", known };
  if (isNewSchedule) return { do: "reschedule", known };
  const isBehind = outcome !== "known" && dealtMs > nowMs;
  return { do: "wait", untilMs: schedule.nextAfter(Math.max(dealtMs, nowMs)), isBehind };
}

const dayMs = 24 * 60 * 60 * 1000;
