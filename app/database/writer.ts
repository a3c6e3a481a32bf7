import { Worker } from "node:worker_threads";

import type { Idempotency } from "./idempotency.ts";
import { sendToThread, ThreadWriter } from "./thread-writer.ts";
import { WalGuard } from "./wal-guard.ts";
import type { Committed, LocalDurability } from "./write-outcome.ts";
import type { WatchLimits } from "./write-watch.ts";
import type { MessageFromThread, WriterThreadData } from "./writer-messages.ts";

/** What the writer logs with: pino's logger is one. */
export type WriterLog = Record<"info" | "warn" | "error", (fields: object, message: string) => void>;

export type ExecuteOptions = { durability: LocalDurability; idempotency?: Idempotency };

/** The main thread's handle on the writer thread. */
export type Writer = {
  /** Rejects with WriteRefused, CommandRejected or CommandFailed (nothing was committed), or WriteOutcomeUnknown. */
  execute(command: string, input: unknown, options: ExecuteOptions): Promise<Committed<unknown>>;
  readonly queueLength: number;
  readonly state: "accepting" | "refusing" | "stopping";
  readonly walBytes: number;
  /** How long the oldest write has waited for its answer; null when none waits. */
  readonly oldestWriteMs: number | null;
  /** From now on nothing is written: what waits is refused, unless its COMMIT has begun. */
  refuse(reason: "fenced"): void;
  /** Stops accepting and waits for the answers of all that was accepted. Throws after 30 s, or when the thread died. */
  drain(limitMs?: number): Promise<void>;
  /** Drains, then ends the thread. The WAL stays as it is: Litestream's to checkpoint. */
  close(): Promise<void>;
  /** Calls once when the thread died or is stuck, also if that was before: the process must end. */
  onFailure(listener: (error: Error) => void): void;
};

export type WriterOptions = {
  databasePath: string;
  threadUrl: URL;
  queueLimit: number;
  walAlarmBytes: number;
  walLimitBytes: number;
  /** Called once, before the first pending migration, when the database holds data already. */
  beforeMigration?: () => Promise<void>;
  /** When the thread is taken for stuck: 10 s and 60 s unless said otherwise. */
  watchLimits?: WatchLimits;
  log: WriterLog;
};

/**
 * Starts the writer thread and resolves when the migrations have run. Throws what went wrong in the thread as cause.
 */
export async function startWriter(options: WriterOptions): Promise<Writer> {
  const { databasePath, walAlarmBytes: alarmBytes, walLimitBytes: limitBytes, log } = options;
  const fence = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  const running = new BigInt64Array(new SharedArrayBuffer(BigInt64Array.BYTES_PER_ELEMENT));
  const workerData: WriterThreadData = { databasePath, fence, running };
  const worker = new Worker(options.threadUrl, { name: "writer", workerData });
  const death = watchDeath(worker);
  try {
    await migrateThread(worker, death, options);
    const guard = new WalGuard(databasePath, { alarmBytes, limitBytes }, log);
    const { queueLimit, watchLimits = defaultWatchLimits } = options;
    return new ThreadWriter({ worker, death, fence, running, guard, queueLimit, watchLimits, log });
  } catch (error) {
    await worker.terminate();
    throw new Error(`starting the writer on ${databasePath} failed`, { cause: error });
  }
}

// A disk that is slow for seconds is not stuck; no client waits for a minute.
const defaultWatchLimits: WatchLimits = { refuseMs: 10_000, endMs: 60_000 };
const openLimitMs = 60_000;
// A migration may rewrite every row of a big table.
const migrateLimitMs = 30 * 60_000;

async function migrateThread(worker: Worker, death: Promise<Error>, options: WriterOptions): Promise<void> {
  const opened = await waitForMessage({ worker, death, kind: "opened", limitMs: openLimitMs });
  if (opened.pending > 0) options.log.info({ pending: opened.pending }, "migrations are pending");
  if (opened.pending > 0 && opened.holdsData) await options.beforeMigration?.();
  sendToThread(worker, { kind: "migrate" });
  await waitForMessage({ worker, death, kind: "migrated", limitMs: migrateLimitMs });
}

function watchDeath(worker: Worker): Promise<Error> {
  return new Promise((resolve) => {
    worker.once("error", (error) => resolve(error instanceof Error ? error : new Error(String(error))));
    worker.once("exit", (code) => resolve(new Error(`the writer thread ended with code ${code}`)));
  });
}

type Wait<Kind> = { worker: Worker; death: Promise<Error>; kind: Kind; limitMs: number };

async function waitForMessage<Kind extends MessageFromThread["kind"]>(
  wait: Wait<Kind>,
): Promise<Extract<MessageFromThread, { kind: Kind }>> {
  const { promise, resolve, reject } = Promise.withResolvers<Extract<MessageFromThread, { kind: Kind }>>();
  const limit = setTimeout(
    () => reject(new Error(`the writer did not say "${wait.kind}" in ${wait.limitMs} ms`)),
    wait.limitMs,
  );
  function receive(message: MessageFromThread): void {
    if (isKind(message, wait.kind)) resolve(message);
  }
  wait.worker.on("message", receive);
  void wait.death.then(reject);
  try {
    return await promise;
  } finally {
    clearTimeout(limit);
    wait.worker.off("message", receive);
  }
}

function isKind<Kind extends MessageFromThread["kind"]>(
  message: MessageFromThread,
  kind: Kind,
): message is Extract<MessageFromThread, { kind: Kind }> {
  return message.kind === kind;
}
