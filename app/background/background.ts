import { type OutboxHandler, readOutboxState, readWaitingCause } from "../database/outbox.ts";
import type { Reader } from "../database/reader.ts";
import type { Reports } from "../database/reports.ts";
import type { Writer } from "../database/writer.ts";
import type { Log } from "../log.ts";
import type { Job } from "./job.ts";
import { Lane, type LaneLimits } from "./lane.ts";
import { pause } from "./limited.ts";
import { Ownership, type OwnershipOptions, type Prover } from "./ownership.ts";
import { type JobState, Scheduler } from "./scheduler.ts";

export type BackgroundLimits = LaneLimits &
  Pick<OwnershipOptions, "proofLimitMs" | "proofAgeMs"> & {
    /** How long one run of a job may take. */
    jobLimitMs: number;
    /** How long a stop waits for what is under way, before it is given up. */
    stopMs: number;
  };

export type BackgroundOptions = {
  /** The part of a product that works without being asked. */
  product: { outbox: readonly OutboxHandler[]; jobs: readonly Job[] };
  reader: Pick<Reader, "read">;
  reports: Pick<Reports, "run">;
  writer: Pick<Writer, "execute">;
  replication: Prover;
  log: Log;
  limits?: Partial<BackgroundLimits>;
  /** The wall clock, by which jobs are due. */
  nowMs?: () => number;
};

export type EffectsState = {
  /** Why no handler is called at present; null while nothing speaks against it. */
  held: string | null;
  handlers: {
    name: string;
    /** How many effects have not been performed. */
    waiting: number;
    oldestSentAt: string | null;
    /** Why the newest try failed, or why there is none; after one that did not, why the others that were tried wait. */
    cause: string | null;
  }[];
  deadLetters: number;
};

const defaultLimits: BackgroundLimits = {
  proofEveryMs: 1_000,
  proofLimitMs: 10_000,
  proofAgeMs: 5_000,
  tryLimitMs: 30_000,
  firstRetryMs: 2_000,
  lastRetryMs: 3_600_000,
  attempts: 16,
  jobLimitMs: 3_600_000,
  stopMs: 2_000,
};

/** What a machine does without being asked: side effects that commands have sent, and jobs. Only while it owns head. */
export class Background {
  readonly #options: BackgroundOptions;
  readonly #limits: BackgroundLimits;
  readonly #closing = new AbortController();
  readonly #aborting = new AbortController();
  readonly #ownership: Ownership;
  readonly #lanes: readonly Lane[];
  readonly #scheduler: Scheduler;
  #running: Promise<unknown> = Promise.resolve();

  constructor(options: BackgroundOptions) {
    const { product, reader, reports, writer, replication, log, nowMs = () => Date.now() } = options;
    const limits = { ...defaultLimits, ...options.limits };
    this.#options = options;
    this.#limits = limits;
    const signals = { closing: this.#closing.signal, aborting: this.#aborting.signal };
    this.#ownership = new Ownership({ replication, log, closing: signals.closing, ...limits });
    const house = { reader, writer, log, ownership: this.#ownership, ...signals };
    this.#lanes = product.outbox.map((handler) => new Lane({ ...house, handler, limits }));
    this.#scheduler = new Scheduler({ ...house, reports, jobs: product.jobs, jobLimitMs: limits.jobLimitMs, nowMs });
  }

  /** Begins to work. To be called once writer, reader and replication are there; after a stop it does nothing. */
  start(): void {
    if (this.#closing.signal.aborted) return;
    this.#tellUnknown();
    this.#running = Promise.all([...this.#lanes.map((lane) => lane.run()), this.#scheduler.run()]);
  }

  /** Something may have been sent. */
  wake(): void {
    for (const lane of this.#lanes) lane.wake();
  }

  /** Begins nothing more, waits a moment for what is under way, and gives it up then. Never throws. */
  async stop(limitMs = this.#limits.stopMs): Promise<void> {
    this.#closing.abort();
    const done = new AbortController();
    await Promise.race([this.#running.finally(() => done.abort()), pause(limitMs, done.signal)]);
    this.abort();
  }

  /** Begins nothing more, and gives up what is under way. */
  abort(): void {
    this.#closing.abort();
    this.#aborting.abort(new Error("the server stops"));
  }

  describeEffects(): EffectsState {
    const { reader } = this.#options;
    const { pending, deadLetters } = reader.read(readOutboxState());
    const waiting = new Map(pending.map((row) => [row.handler, row]));
    const lanes = new Map(this.#lanes.map((lane) => [lane.name, lane]));
    const handlers = [...new Set([...lanes.keys(), ...waiting.keys()])].map((name) => {
      const lane = lanes.get(name);
      return {
        name,
        waiting: waiting.get(name)?.count ?? 0,
        oldestSentAt: waiting.get(name)?.oldestSentAt ?? null,
        cause: lane === undefined ? noHandler : (lane.cause ?? reader.read(readWaitingCause(name))),
      };
    });
    return { held: this.#ownership.held, handlers, deadLetters };
  }

  describeJobs(): { held: string | null; jobs: JobState[] } {
    return { held: this.#ownership.held, jobs: this.#scheduler.describe() };
  }

  /** What was sent to a handler that the release no longer has is kept: a later one may have it again. */
  #tellUnknown(): void {
    const { log } = this.#options;
    for (const { name, waiting, cause } of this.describeEffects().handlers)
      if (cause === noHandler) log.warn({ handler: name, waiting, cause }, "side effects wait for a handler");
  }
}

const noHandler = "this release has no handler of this name";
