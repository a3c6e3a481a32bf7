import { Worker } from "node:worker_threads";

import type { CommitListener } from "./commit-feed.ts";
import { ForeignWriter } from "./foreign-writer.ts";
import { migrateThread, type MigrationOptions } from "./migrate-thread.ts";
import { WalGuard } from "./wal-guard.ts";
import type { WatchLimits } from "./write-watch.ts";
import type { WriterThreadData } from "./writer-messages.ts";
import { ThreadWriter, type Writer } from "./writer.ts";

export type WriterOptions = MigrationOptions & {
  /** The file whose lock Litestream holds. It tells Litestream from other processes. */
  litestreamLock?: string;
  threadUrl: URL;
  queueLimit: number;
  walAlarmBytes: number;
  walLimitBytes: number;
  /** Called for every commit, when its request is answered. */
  onCommit?: CommitListener;
  /** Called with the thread, for whoever measures its time. */
  onThread?: (thread: Pick<Worker, "performance" | "cpuUsage">) => void;
  /** When the thread counts as stuck: after 10 s and 60 s by default. */
  watchLimits?: WatchLimits;
};

/**
 * Starts the writer thread and resolves when the migrations have run. On failure the cause is the thread's error, such
 * as MigrationRefused. There is no time limit: opening may read a WAL of gigabytes, and a migration may write one.
 */
export async function startWriter(options: WriterOptions): Promise<Writer> {
  const { databasePath, walAlarmBytes: alarmBytes, walLimitBytes: limitBytes, log } = options;
  const fence = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  const running = new BigInt64Array(new SharedArrayBuffer(BigInt64Array.BYTES_PER_ELEMENT));
  const workerData: WriterThreadData = { databasePath, fence, running };
  const worker = new Worker(options.threadUrl, { name: "writer", workerData });
  options.onThread?.(worker);
  const death = watchDeath(worker);
  try {
    await migrateThread({ worker, death }, options);
    const { queueLimit, litestreamLock, onCommit, watchLimits = defaultWatchLimits } = options;
    const places = { databasePath, ...(litestreamLock !== undefined && { litestreamLock }) };
    const guard = new WalGuard(places, { alarmBytes, limitBytes }, log);
    const foreignWriter = new ForeignWriter(places, log);
    const settings = { queueLimit, watchLimits, onCommit, log };
    return new ThreadWriter({ worker, death, fence, running, guard, foreignWriter, ...settings });
  } catch (error) {
    await worker.terminate();
    throw new Error(`starting the writer on ${databasePath} failed`, { cause: error });
  }
}

// A disk that is slow for seconds is not stuck, and no client waits for a minute.
const defaultWatchLimits: WatchLimits = { refuseMs: 10_000, endMs: 60_000 };

function watchDeath(worker: Worker): Promise<Error> {
  return new Promise((resolve) => {
    worker.once("error", (error) => resolve(error instanceof Error ? error : new Error(String(error))));
    worker.once("exit", (code) => resolve(new Error(`the writer thread ended with code ${code}`)));
  });
}
