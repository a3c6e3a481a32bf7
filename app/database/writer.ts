import { Worker } from "node:worker_threads";

import type { Log } from "../log.ts";
import { ForeignWriter } from "./foreign-writer.ts";
import { migrateThread, type MigrationProgress } from "./migrate-thread.ts";
import type { MigrationNote } from "./migration.ts";
import { ThreadWriter } from "./thread-writer.ts";
import { WalGuard } from "./wal-guard.ts";
import type { Committed } from "./write-outcome.ts";
import type { WatchLimits } from "./write-watch.ts";
import type { WriteRequest, WriterThreadData } from "./writer-messages.ts";

export type ExecuteOptions = Pick<WriteRequest, "durability" | "idempotency" | "replayOnly">;

/** The main thread's handle on the writer thread. */
export type Writer = {
  /** Rejects with WriteRefused, CommandRejected or CommandFailed (nothing was committed), or WriteOutcomeUnknown. */
  execute(command: string, input: unknown, options: ExecuteOptions): Promise<Committed<unknown>>;
  readonly queueLength: number;
  readonly state: "accepting" | "refusing" | "stopping";
  readonly walBytes: number;
  /** How long the oldest write has waited for its answer; null when none waits. */
  readonly oldestWriteMs: number | null;
  /** Who or what is in the way of writes, or soon will be; null when nothing is. */
  readonly cause: string | null;
  /** From now on nothing is written: what waits is refused, unless its COMMIT has begun. */
  fence(): void;
  /** Stops accepting and waits for the answers of all that was accepted. Throws after 30 s, or when the thread died. */
  drain(limitMs?: number): Promise<void>;
  /** Drains, then ends the thread. The WAL stays as it is: Litestream's to checkpoint. */
  close(): Promise<void>;
  /** Calls once when the thread died or is stuck, also if that was before: the process must end. */
  onFailure(listener: (error: Error) => void): void;
};

export type WriterOptions = {
  databasePath: string;
  /** The file whose lock Litestream runs under: so it is told by name from other processes. */
  litestreamLock?: string;
  threadUrl: URL;
  queueLimit: number;
  walAlarmBytes: number;
  walLimitBytes: number;
  /** When the thread is taken for stuck: 10 s and 60 s unless said otherwise. */
  watchLimits?: WatchLimits;
  /**
   * Called once, before the first pending migration, when the database holds data already. Returns where the state
   * before it can be had.
   */
  beforeMigration?: (pending: readonly MigrationNote[]) => Promise<string | undefined>;
  /** Told every few seconds while migrations are pending, and null when that is over. */
  onProgress?: (progress: MigrationProgress | null) => void;
  progressIntervalMs?: number;
  log: Log;
};

/**
 * Starts the writer thread and resolves when the migrations have run. Throws what went wrong in the thread
 * as cause, MigrationRefused among it. Has no time limit: opening may read a WAL of gigabytes, and a migration write one.
 */
export async function startWriter(options: WriterOptions): Promise<Writer> {
  const { databasePath, walAlarmBytes: alarmBytes, walLimitBytes: limitBytes, log } = options;
  const fence = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  const running = new BigInt64Array(new SharedArrayBuffer(BigInt64Array.BYTES_PER_ELEMENT));
  const workerData: WriterThreadData = { databasePath, fence, running };
  const worker = new Worker(options.threadUrl, { name: "writer", workerData });
  const death = watchDeath(worker);
  try {
    await migrateThread({ worker, death }, options);
    const { queueLimit, litestreamLock, watchLimits = defaultWatchLimits } = options;
    const places = { databasePath, ...(litestreamLock !== undefined && { litestreamLock }) };
    const guard = new WalGuard(places, { alarmBytes, limitBytes }, log);
    const foreignWriter = new ForeignWriter(places, log);
    return new ThreadWriter({ worker, death, fence, running, guard, foreignWriter, queueLimit, watchLimits, log });
  } catch (error) {
    await worker.terminate();
    throw new Error(`starting the writer on ${databasePath} failed`, { cause: error });
  }
}

// A disk that is slow for seconds is not stuck; no client waits for a minute.
const defaultWatchLimits: WatchLimits = { refuseMs: 10_000, endMs: 60_000 };

function watchDeath(worker: Worker): Promise<Error> {
  return new Promise((resolve) => {
    worker.once("error", (error) => resolve(error instanceof Error ? error : new Error(String(error))));
    worker.once("exit", (code) => resolve(new Error(`the writer thread ended with code ${code}`)));
  });
}
