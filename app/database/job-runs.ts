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
  /** How many times of the schedule passed without a run right before this one. */
  missed: number;
  /** The pattern that `since` is about; null: noted by a release that did not keep it. */
  schedule: string | null;
  /** Times before it are nobody's: the job, or its schedule, was not known yet. */
  since: number | null;
};

/** Reads the note of every job, also of those that the release no longer has. */
export function* readJobRuns(): Reading<JobRun[]> {
  return yield* query(tables.selectFrom("_jobs").selectAll().orderBy("name"));
}

/** Notes that a run of a job began or how it ended, or from when its times count. */
export const noteJobRun: Command<JobRun> = {
  name: "_job-noted",
  *run(run) {
    yield* query(
      tables
        .insertInto("_jobs")
        .values(run)
        .onConflict((conflict) => conflict.column("name").doUpdateSet(run)),
    );
  },
};

/** Whether createJobRuns has to change a table that is there. */
export function lacksJobColumns(db: Database.Database): boolean {
  return listLacking(db).length > 0;
}

/**
 * Makes the table where it is missing, and adds what that of an older release lacks: nullable, and last, so that the
 * older release can still read and write after a rollback.
 */
export function createJobRuns(db: Database.Database): void {
  db.exec(`create table if not exists _jobs (
    name text primary key not null, due_at integer not null, outcome text not null, cause text,
    noted_at integer not null, missed integer not null
  ) strict`);
  for (const { name, type } of listLacking(db)) db.exec(`alter table _jobs add column ${name} ${type}`);
}

const addedColumns = [
  { name: "schedule", type: "text" },
  { name: "since", type: "integer" },
] as const;

function listLacking(db: Database.Database) {
  const columns = db.prepare<[], string>("select name from pragma_table_info('_jobs')").pluck().all();
  return addedColumns.filter(({ name }) => !columns.includes(name));
}

const tables = sqlBuilder<{ _jobs: JobRun }>();
