import type Database from "better-sqlite3";

import type { Command } from "./command.ts";
import { sqlBuilder } from "./sql.ts";
import { query, type Reading } from "./transaction.ts";

/** The latest note about a job. Times in milliseconds since 1970. */
export type JobRun = {
  name: string;
  /** The latest time of its schedule that was run or counted as missed. */
  due_at: number;
  /**
   * `known`: no run yet. `running`: begun; found at a start, the process ended before the run did. `again`: the same
   * for the second try of this run.
   */
  outcome: "known" | "running" | "again" | "done" | "failed";
  cause: string | null;
  /** When this was noted. */
  noted_at: number;
  /** How many times of the schedule passed without a run, since the job is known. */
  missed: number;
};

/** Reads the note of every job, also of those that the release no longer has. */
export function* readJobRuns(): Reading<JobRun[]> {
  return yield* query(tables.selectFrom("_jobs").selectAll().orderBy("name"));
}

/** Notes that a run of a job began or how it ended, and how many times of its schedule were missed before it. */
export const noteJobRun: Command<Omit<JobRun, "noted_at">> = {
  name: "_job-noted",
  *run({ missed, ...run }, { now }) {
    const newest = { ...run, noted_at: now.getTime() };
    yield* query(
      tables
        .insertInto("_jobs")
        .values({ ...newest, missed })
        .onConflict((conflict) =>
          conflict.column("name").doUpdateSet(({ eb }) => ({ ...newest, missed: eb("_jobs.missed", "+", missed) })),
        ),
    );
  },
};

/** Makes the table if it is missing. */
export function createJobRuns(db: Database.Database): void {
  db.exec(`create table if not exists _jobs (
    name text primary key not null, due_at integer not null, outcome text not null, cause text,
    noted_at integer not null, missed integer not null
  ) strict`);
}

const tables = sqlBuilder<{ _jobs: JobRun }>();
