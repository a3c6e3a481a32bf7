import type { Log } from "../log.ts";

export type WatchLimits = {
  /** When the oldest write is this old, further ones are refused. */
  refuseMs: number;
  /** At this age the process must end, because a command cannot be interrupted inside its thread. */
  endMs: number;
};

/** What the watch observes. `describe` names the oldest write and what the thread is doing. */
export type Watched = {
  oldestSince: () => number | null;
  describe: () => WatchedWrite;
  onStuck: (error: Error) => void;
};
type WatchedWrite = { command: string | null; queueLength: number };

const tickMs = 250;
/** A tick this late means that the whole process stood still, so the writer thread may just be waking up too. */
const stallMs = 1_000;

/** Checks that the writer thread answers. Time in which the whole process stood still does not count. */
export class WriteWatch {
  readonly #limits: WatchLimits;
  readonly #watched: Watched;
  readonly #log: Log;
  readonly #timer: NodeJS.Timeout;
  #tickedAt = performance.now();
  #countedFrom = 0;
  #isTold = false;

  constructor(watched: Watched, limits: WatchLimits, log: Log) {
    this.#watched = watched;
    this.#limits = limits;
    this.#log = log;
    this.#timer = setInterval(() => this.#tick(), tickMs);
    this.#timer.unref();
  }

  /** How long the oldest write has waited for its answer, in milliseconds. Null when none waits. */
  get oldestWriteMs(): number | null {
    const since = this.#watched.oldestSince();
    return since === null ? null : Math.max(0, Math.round(performance.now() - Math.max(since, this.#countedFrom)));
  }

  isStuck(): boolean {
    return (this.oldestWriteMs ?? 0) > this.#limits.refuseMs;
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #tick(): void {
    const now = performance.now();
    if (now - this.#tickedAt > tickMs + stallMs) this.#countedFrom = now;
    this.#tickedAt = now;
    const oldestWriteMs = this.oldestWriteMs ?? 0;
    const isStuck = oldestWriteMs > this.#limits.refuseMs;
    const details = { oldestWriteMs, ...this.#watched.describe() };
    if (isStuck && !this.#isTold) this.#log.error(details, "the writer is stuck, further writes are refused");
    if (!isStuck && this.#isTold) this.#log.info(details, "the writer goes on");
    this.#isTold = isStuck;
    if (oldestWriteMs <= this.#limits.endMs) return;
    this.stop();
    this.#watched.onStuck(new Error(explainStuck(details)));
  }
}

function explainStuck({ command, oldestWriteMs }: { command: string | null; oldestWriteMs: number }): string {
  const seconds = (oldestWriteMs / 1000).toFixed(1);
  return command === null
    ? `the writer has not answered for ${seconds} s, and no command runs: SQLite begins or commits, so look at the disk`
    : `command "${command}" has been running for ${seconds} s and cannot be interrupted; see that it ends, or writes less at once`;
}
