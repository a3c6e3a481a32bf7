import { Cron } from "croner";

import type { Job } from "./job.ts";

/** The times of a cron pattern, in UTC and in milliseconds since 1970. */
export class Schedule {
  readonly pattern: string;
  readonly #cron: Cron;

  /** Throws Error when the job's pattern is wrong, or has no time to come. */
  constructor({ name, schedule }: Pick<Job, "name" | "schedule">) {
    this.pattern = schedule;
    const wrong = `the job "${name}" has a wrong schedule "${schedule}"`;
    try {
      this.#cron = new Cron(schedule, { utcOffset: 0, mode: "5-or-6-parts" });
    } catch (error) {
      throw new Error(`${wrong}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
    }
    // The library takes a date, too, for a single run.
    if (this.#cron.getOnce() !== null) throw new Error(`${wrong}: it is a date and no cron pattern`);
    if (this.nextAfter(Date.now()) === null) throw new Error(`${wrong}: no such day ever comes`);
  }

  /** The first time after this moment; null when there is none. */
  nextAfter(ms: number): number | null {
    return this.#cron.nextRun(new Date(ms))?.getTime() ?? null;
  }

  /** The last time up to this moment, the moment included. */
  latestUntil(ms: number): number | null {
    const [latest] = this.#cron.previousRuns(1, new Date(ms + 1));
    return latest?.getTime() ?? null;
  }

  /** How many times lie between two moments, neither included. Counts to 10,000 and no further. */
  countBetween(afterMs: number, beforeMs: number): number {
    let count = 0;
    for (let at = this.nextAfter(afterMs); at !== null && at < beforeMs; at = this.nextAfter(at)) {
      count += 1;
      if (count === countLimit) break;
    }
    return count;
  }
}

// Three hours of a job that is due every second; counting costs 15 µs a time.
const countLimit = 10_000;
