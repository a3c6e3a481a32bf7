import type { Worker } from "node:worker_threads";

import { sizeOf } from "../durable-file.ts";
import type { Log } from "../log.ts";
import { type MigrationNote, MigrationRefused } from "./migration.ts";
import { type MessageFromThread, sendToThread } from "./writer-messages.ts";

/** Progress of the start, for /ready and the log. A migration has no time limit, so this shows that it works. */
export type MigrationProgress = {
  stage: "making the restore point" | "migrating";
  /** The step that runs: number and name. */
  migration: string | null;
  elapsedMs: number;
  walBytes: number;
  restorePoint: string | null;
};

export type MigrationOptions = {
  databasePath: string;
  /**
   * Called once, before the first pending migration, when the database already holds data. Returns where the state
   * before it can be restored from.
   */
  beforeMigration?: (pending: readonly MigrationNote[]) => Promise<string | undefined>;
  /** Called every few seconds while migrations are pending, and with null at the end. */
  onProgress?: (progress: MigrationProgress | null) => void;
  progressIntervalMs?: number;
  log: Log;
};

type Thread = { worker: Worker; death: Promise<Error> };

/** Makes the restore point, then lets the thread migrate. Throws MigrationRefused, or what ended the thread. */
export async function migrateThread(thread: Thread, options: MigrationOptions): Promise<void> {
  const { pending, holdsData, unknown } = await waitForMessage(thread, "opened");
  if (unknown.length > 0)
    options.log.warn({ unknown }, "a newer release migrated this database; what it added is left alone");
  if (pending.length > 0) options.log.info({ pending }, "migrations are pending");
  using progress = new ProgressLog(options, pending.length > 0);
  const restorePoint = pending.length > 0 && holdsData ? await options.beforeMigration?.(pending) : undefined;
  if (restorePoint !== undefined) options.log.info({ restorePoint }, "the restore point before the migrations is made");
  const follow = (message: MessageFromThread): void => {
    if (message.kind === "step") progress.begin(message.migration);
  };
  progress.migrate(restorePoint ?? null);
  thread.worker.on("message", follow);
  sendToThread(thread.worker, { kind: "migrate", restorePoint: restorePoint ?? null });
  try {
    await waitForMessage(thread, "migrated");
  } finally {
    thread.worker.off("message", follow);
  }
  if (pending.length > 0) options.log.info(progress.read(), "migrated");
}

const progressIntervalMs = 5_000;

/** Reports progress every few seconds until it is disposed of. */
class ProgressLog implements Disposable {
  readonly #options: MigrationOptions;
  readonly #startMs = performance.now();
  readonly #timer: NodeJS.Timeout;
  #stage: MigrationProgress["stage"] = "making the restore point";
  #migration: string | null = null;
  #restorePoint: string | null = null;

  constructor(options: MigrationOptions, tells: boolean) {
    this.#options = options;
    this.#timer = setInterval(() => this.#tell(), options.progressIntervalMs ?? progressIntervalMs);
    if (!tells) clearInterval(this.#timer);
    else options.onProgress?.(this.read());
  }

  migrate(restorePoint: string | null): void {
    this.#stage = "migrating";
    this.#restorePoint = restorePoint;
  }

  begin({ number, name }: MigrationNote): void {
    this.#migration = `${number} "${name}"`;
    this.#options.onProgress?.(this.read());
  }

  read(): MigrationProgress {
    return {
      stage: this.#stage,
      migration: this.#migration,
      elapsedMs: Math.round(performance.now() - this.#startMs),
      walBytes: sizeOf(`${this.#options.databasePath}-wal`),
      restorePoint: this.#restorePoint,
    };
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#options.onProgress?.(null);
  }

  #tell(): void {
    const progress = this.read();
    this.#options.log.info(progress, "the start is under way");
    this.#options.onProgress?.(progress);
  }
}

async function waitForMessage<Kind extends MessageFromThread["kind"]>(
  { worker, death }: Thread,
  kind: Kind,
): Promise<Extract<MessageFromThread, { kind: Kind }>> {
  const { promise, resolve, reject } = Promise.withResolvers<Extract<MessageFromThread, { kind: Kind }>>();
  function receive(message: MessageFromThread): void {
    if (isKind(message, kind)) resolve(message);
    if (message.kind === "refused") reject(new MigrationRefused(message.cause));
  }
  worker.on("message", receive);
  void death.then(reject);
  try {
    return await promise;
  } finally {
    worker.off("message", receive);
  }
}

function isKind<Kind extends MessageFromThread["kind"]>(
  message: MessageFromThread,
  kind: Kind,
): message is Extract<MessageFromThread, { kind: Kind }> {
  return message.kind === kind;
}
