import type { Worker } from "node:worker_threads";

import type { Log } from "../log.ts";
import { Commit, type CommitListener } from "./commit-feed.ts";
import type { ForeignWriter } from "./foreign-writer.ts";
import type { WalGuard } from "./wal-guard.ts";
import {
  type Committed,
  type RefusalReason,
  WriteOutcomeUnknown,
  readAnswer,
  refuseWrite,
  type WriteAnswer,
} from "./write-outcome.ts";
import { type WatchLimits, WriteWatch } from "./write-watch.ts";
import { type MessageFromThread, RequestBatch, sendToThread, type WriteRequest } from "./writer-messages.ts";

export type ExecuteOptions = Pick<WriteRequest, "durability" | "idempotency" | "replayOnly">;

/** The main thread's handle on the writer thread. */
export type Writer = {
  /** Rejects with WriteRefused, CommandRejected or CommandFailed (nothing was committed), or WriteOutcomeUnknown. */
  execute(command: string, input: unknown, options: ExecuteOptions): Promise<Committed<unknown>>;
  readonly queueLength: number;
  readonly state: "accepting" | "refusing" | "stopping";
  readonly walBytes: number;
  /** How long the oldest write has waited for its answer. Null when none waits. */
  readonly oldestWriteMs: number | null;
  /** Who or what blocks writes, or soon will. Null when nothing does. */
  readonly cause: string | null;
  /** Stops all writes: what waits is refused, unless its COMMIT has begun. */
  fence(): void;
  /** Stops accepting and waits for the answers to everything accepted. Throws after 30 s, or when the thread died. */
  drain(limitMs?: number): Promise<void>;
  /** Drains, then ends the thread. Leaves the WAL for Litestream to checkpoint. */
  close(): Promise<void>;
  /**
   * Calls the listener once when the thread died or is stuck, also if that happened before. The process must end then.
   */
  onFailure(listener: (error: Error) => void): void;
  /** Calls the listener after each commit that may have put an effect into the outbox. */
  onSent(listener: () => void): void;
};

type ThreadParts = {
  worker: Worker;
  death: Promise<Error>;
  fence: Int32Array<SharedArrayBuffer>;
  /** The id of the write whose command runs, written by the thread. 0 when none runs. */
  running: BigInt64Array<SharedArrayBuffer>;
  watchLimits: WatchLimits;
  log: Log;
  guard: WalGuard;
  foreignWriter: ForeignWriter;
  queueLimit: number;
  onCommit?: CommitListener | undefined;
};
type Pending = {
  request: Pick<WriteRequest, "command" | "durability">;
  since: number;
  resolve: (committed: Committed<unknown>) => void;
  reject: (error: unknown) => void;
};

/** The writer over a thread that has been started and has migrated. Use startWriter. */
export class ThreadWriter implements Writer {
  readonly #parts: ThreadParts;
  readonly #pending = new Map<number, Pending>();
  readonly #watch: WriteWatch;
  readonly #batch: RequestBatch;
  readonly #failureListeners: ((error: Error) => void)[] = [];
  readonly #sentListeners: (() => void)[] = [];
  #nextId = 1;
  #isFenced = false;
  #isStopping = false;
  #isEnding = false;
  #failure: Error | undefined;
  #idle: PromiseWithResolvers<void> | undefined;
  #closed: Promise<void> | undefined;

  constructor(parts: ThreadParts) {
    this.#parts = parts;
    const watched = {
      oldestSince: () => this.#oldest?.since ?? null,
      describe: () => ({ command: this.#runningCommand, queueLength: this.queueLength }),
      onStuck: (error: Error) => this.#fail(error),
    };
    this.#watch = new WriteWatch(watched, parts.watchLimits, parts.log);
    this.#batch = new RequestBatch(parts.worker, ({ id }, error) => this.#take(id)?.reject(error));
    parts.worker.on("message", (message: MessageFromThread) => {
      if (message.kind !== "answers") return;
      this.#settleOrFail(message.answers);
      if (message.hasSent) for (const listener of this.#sentListeners) listener();
    });
    void parts.death.then((error) => this.#fail(error));
  }

  get queueLength(): number {
    return this.#pending.size;
  }

  get oldestWriteMs(): number | null {
    return this.#watch.oldestWriteMs;
  }

  get walBytes(): number {
    return this.#parts.guard.measureBytes();
  }

  get state(): Writer["state"] {
    if (this.#isStopping || this.#failure !== undefined) return "stopping";
    if (this.#isFenced || this.#watch.isStuck() || this.#parts.guard.isTooBig()) return "refusing";
    return this.#parts.foreignWriter.cause === null ? "accepting" : "refusing";
  }

  get cause(): string | null {
    return this.#parts.foreignWriter.cause ?? this.#parts.guard.cause;
  }

  async execute(command: string, input: unknown, options: ExecuteOptions): Promise<Committed<unknown>> {
    const reason = this.#findRefusal();
    if (reason !== undefined) throw refuseWrite(reason);
    const request: WriteRequest = { id: this.#nextId++, command, input, ...options };
    this.#batch.add(request);
    const since = performance.now();
    return await new Promise((resolve, reject) => this.#pending.set(request.id, { request, since, resolve, reject }));
  }

  fence(): void {
    this.#isFenced = true;
    Atomics.store(this.#parts.fence, 0, 1);
  }

  async drain(limitMs = drainLimitMs): Promise<void> {
    this.#isStopping = true;
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#pending.size === 0) return;
    const idle = (this.#idle ??= Promise.withResolvers<void>());
    const limit = setTimeout(() => {
      const running = this.#runningCommand ?? "none";
      const detail = `${this.#pending.size} writes had no answer in ${Math.round(limitMs)} ms; running command: ${running}`;
      idle.reject(new Error(`draining the writer: ${detail}`));
    }, limitMs);
    await idle.promise.finally(() => clearTimeout(limit));
  }

  close(): Promise<void> {
    return (this.#closed ??= this.#close());
  }

  onFailure(listener: (error: Error) => void): void {
    this.#failureListeners.push(listener);
    if (this.#failure !== undefined) listener(this.#failure);
  }

  onSent(listener: () => void): void {
    this.#sentListeners.push(listener);
  }

  async #close(): Promise<void> {
    try {
      if (this.#failure === undefined) await this.drain();
    } finally {
      await this.#endThread();
      this.#parts.guard.close();
    }
  }

  async #endThread(): Promise<void> {
    this.#isEnding = true;
    this.#watch.stop();
    this.#batch.send();
    sendToThread(this.#parts.worker, { kind: "close" });
    const limit = setTimeout(() => void this.#parts.worker.terminate(), endLimitMs);
    await this.#parts.death;
    clearTimeout(limit);
  }

  // Writes are answered in the order in which they came.
  get #oldest(): Pending | undefined {
    return this.#pending.values().next().value;
  }

  get #runningCommand(): string | null {
    return this.#pending.get(Number(Atomics.load(this.#parts.running, 0)))?.request.command ?? null;
  }

  #findRefusal(): RefusalReason | undefined {
    if (this.#isFenced) return "fenced";
    if (this.#isStopping || this.#failure !== undefined) return "stopping";
    if (this.#watch.isStuck()) return "writer-stuck";
    if (this.#pending.size >= this.#parts.queueLimit) return "queue-full";
    return this.#parts.guard.isTooBig() ? "wal-too-big" : undefined;
  }

  /** A commit to a WAL that was replaced would be lost with this process. */
  #settleOrFail(answers: readonly WriteAnswer[]): void {
    try {
      this.#parts.guard.assertInPlace();
    } catch (error) {
      this.#fail(error instanceof Error ? error : new Error(String(error)));
      return;
    }
    if (answers.some((answer) => answer.outcome === "done")) this.#parts.foreignWriter.noteFree();
    else if (answers.some((answer) => answer.outcome === "refused" && answer.reason === "busy"))
      this.#parts.foreignWriter.noteBusy();
    this.#settle(answers);
  }

  #settle(answers: readonly WriteAnswer[]): void {
    for (const answer of answers) {
      const pending = this.#take(answer.id);
      // Already given up, because the thread counted as stuck.
      if (pending === undefined && this.#failure !== undefined) continue;
      if (pending === undefined) throw new Error(`the writer answered write ${answer.id}, which nobody waits for`);
      const outcome = readAnswer(answer);
      if (outcome instanceof Error) {
        pending.reject(outcome);
        continue;
      }
      pending.resolve(outcome);
      if (!outcome.replayed) this.#parts.onCommit?.(new Commit(pending.request, outcome));
    }
  }

  #take(id: number): Pending | undefined {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    if (this.#pending.size === 0) this.#idle?.resolve();
    return pending;
  }

  #fail(error: Error): void {
    if (this.#isEnding || this.#failure !== undefined) return;
    this.#watch.stop();
    this.#failure = error;
    this.#batch.drop();
    for (const { reject } of this.#pending.values()) reject(new WriteOutcomeUnknown(error));
    this.#pending.clear();
    this.#idle?.reject(error);
    for (const listener of this.#failureListeners) listener(error);
  }
}

const drainLimitMs = 30_000;
const endLimitMs = 10_000;
