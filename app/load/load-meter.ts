import type { Worker } from "node:worker_threads";

import type { Commit } from "../database/commit-feed.ts";
import type { LocalDurability } from "../database/write-outcome.ts";
import type { Log } from "../log.ts";
import type { KnownBounds } from "./bounds.ts";
import { computeFigures, type Figures } from "./figures.ts";
import type { Load } from "./load.ts";
import { ReportLoad } from "./report-load.ts";
import { readMachineTime, readThreadTime, type Sample } from "./sample.ts";
import { SlowReadings } from "./slow-readings.ts";
import { isCloser, judgeTriggers, type Trigger } from "./triggers.ts";

type WriterThread = Pick<Worker, "performance" | "cpuUsage">;

export type LoadOptions = {
  /** How many writes wait for their answer. */
  queueLength: () => number;
  bounds: KnownBounds;
  /** Gets what `GET /load` shows with every sample. */
  onSample?: (load: Load) => void;
  log: Log;
  /** A clock that is never set back, in milliseconds since 1970. */
  nowMs?: () => number;
};

/** Follows what the machine carries: a sample every five seconds, kept for a quarter of an hour. */
export class LoadMeter {
  readonly slowReadings: SlowReadings;
  readonly reports: ReportLoad;
  readonly #options: LoadOptions;
  readonly #nowMs: () => number;
  readonly #writes: Record<LocalDurability, number> = { commit: 0, disk: 0 };
  readonly #samples: Sample[] = [];
  #writerThread: WriterThread | null = null;
  #writerCpuMs = 0;
  #figures: Figures = computeFigures([]);
  #triggers: Trigger[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(options: LoadOptions) {
    this.#options = options;
    this.#nowMs = options.nowMs ?? (() => performance.timeOrigin + performance.now());
    this.slowReadings = new SlowReadings(options.log);
    this.reports = new ReportLoad(this.#nowMs);
  }

  /** Takes samples from now on. The process may end nevertheless. */
  start(): void {
    this.sample();
    this.#timer = setInterval(() => this.sample(), sampleMs).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  followWriter(thread: WriterThread): void {
    this.#writerThread = thread;
  }

  noteCommit = ({ durability }: Pick<Commit, "durability">): void => {
    this.#writes[durability] += 1;
  };

  /** Takes a sample, judges the window that it ends, and logs what has come closer. */
  sample(): void {
    const newest = this.#readCounters();
    this.#samples.push(newest);
    // The window begins with the youngest sample that is old enough.
    while ((this.#samples[1]?.atMs ?? newest.atMs) <= newest.atMs - windowMs) this.#samples.shift();
    this.#figures = computeFigures(this.#samples);
    const before = this.#triggers;
    const { bounds } = this.#options.bounds;
    this.#triggers = judgeTriggers(this.#figures, bounds, { before, at: new Date(this.#nowMs()) });
    for (const [index, trigger] of this.#triggers.entries()) if (isCloser(trigger, before[index])) this.#tell(trigger);
    this.#options.onSample?.(this.describe());
  }

  /** What `GET /load` shows, as of the last sample. */
  describe(): Load {
    const { bounds, fault: boundsFault } = this.#options.bounds;
    return {
      reports: this.reports.describe(),
      slowReadings: this.slowReadings.list(),
      window: this.#figures,
      bounds,
      boundsFault,
      triggers: this.#triggers,
    };
  }

  #readCounters(): Sample {
    return {
      atMs: this.#nowMs(),
      http: readThreadTime({ performance }),
      writer: this.#readWriter(),
      machine: readMachineTime(),
      writes: { ...this.#writes },
      waiting: this.#options.queueLength(),
      reports: this.reports.total,
      slowReadings: this.slowReadings.total,
    };
  }

  #readWriter(): Sample["writer"] {
    const thread = this.#writerThread;
    if (thread === null) return { busyMs: 0, idleMs: 0, cpuMs: 0 };
    // The thread answers when it next runs a line, which may be long after this sample; so the next one has it.
    thread.cpuUsage().then(
      ({ user, system }) => void (this.#writerCpuMs = (user + system) / 1000),
      // It has ended.
      () => undefined,
    );
    return { ...readThreadTime(thread), cpuMs: this.#writerCpuMs };
  }

  #tell({ trigger, state, measure, value, bound, why: cause, next }: Trigger): void {
    const fields = { trigger, measure, value, bound, cause, next };
    if (state === "reached") this.#options.log.warn(fields, "a trigger to leave is reached");
    else this.#options.log.warn(fields, "a trigger to leave is near");
  }
}

const sampleMs = 5_000;
const windowMs = 15 * 60_000;
