import type { Command } from "../database/command.ts";
import type { Reader } from "../database/reader.ts";
import type { Report } from "../database/report.ts";
import type { Log } from "../log.ts";

/** What a job gets for one run. */
export type JobContext = {
  /** The time of the schedule that this run is for. It is the same when a run that was cut off is repeated. */
  readonly dueAt: Date;
  /** Reads rows, on a connection that cannot write. Every request waits meanwhile: what takes long is a report. */
  readonly reader: Pick<Reader, "read">;
  /** Runs a command, and resolves with its result when it is committed at `disk`. */
  readonly execute: <Input, Result>(command: Command<Input, Result>, input: Input) => Promise<Result>;
  /** Runs a report beside everything else, and resolves with its result. Waits for its turn. */
  readonly report: <Input, Result>(report: Report<Input, Result>, input: Input) => Promise<Result>;
  /** Aborted when the run takes too long, and when the server stops or is fenced. */
  readonly signal: AbortSignal;
  readonly log: Log;
};

/** Something that is done at the times of a schedule, on the one machine that owns the bucket. */
export type Job = {
  readonly name: string;
  /** A cron pattern of five parts, or six with seconds first. Its times are in UTC. */
  readonly schedule: string;
  readonly run: (context: JobContext) => Promise<void>;
};
