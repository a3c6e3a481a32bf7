import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

import type { Log } from "../log.ts";
import { type ReportEnd, ReportEnded, type ReportLimits, type ReportMessage, type ReportOrder } from "./report.ts";
import type { ReportProcessSettings } from "./serve-reports.ts";
import { CommandRejected } from "./write-outcome.ts";

/** The server's handle on the process that runs reports, one after the other. */
export type Reports = {
  /**
   * Runs a report and resolves with its result as JSON. Rejects with ReportEnded, CommandRejected, or what went wrong.
   * Ends the report when the signal is aborted.
   */
  run(report: string, input: unknown, signal: AbortSignal): Promise<string>;
  describe(): ReportsState;
  /** Starts the process before the first report needs it. */
  warm(): void;
  /** Ends every report at once, and the process. */
  close(): void;
};

export type ReportsState = {
  running: { name: string; forMs: number } | null;
  waiting: number;
  /** Since the server started. */
  reports: ReportFigures[];
};
/** `ended` counts the reports without an answer. */
type ReportFigures = { name: string; done: number; ended: number; lastMs: number; longestMs: number };

export type ReportsOptions = {
  runnerUrl: URL;
  databasePath: string;
  limits: ReportLimits;
  /** Whether the WAL waits to be reset. Then no report begins: one after the other would keep it from that for ever. */
  isWalBig: () => boolean;
  log: Log;
};

/** `sinceMs` is null while the process starts. */
type Order = ReportOrder & {
  sinceMs: number | null;
  resolve: (resultJson: string) => void;
  reject: (error: Error) => void;
};

/**
 * A lane of reports in a process of their own. A thread would not do: nothing ends one in which SQLite runs a
 * statement, `terminate()` waits for it. The process is killed instead, and the next one is started at once.
 */
export class ReportLane implements Reports {
  readonly #options: ReportsOptions;
  readonly #waiting: Order[] = [];
  readonly #figures = new Map<string, ReportFigures>();
  #running: Order | null = null;
  #child: ChildProcess | null = null;
  #isReady = false;
  #killedFor: ReportEnd | null = null;
  #limit: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(options: ReportsOptions) {
    this.#options = options;
  }

  warm(): void {
    if (!this.#isClosed) this.#child ??= this.#start();
  }

  async run(report: string, input: unknown, signal: AbortSignal): Promise<string> {
    if (this.#isClosed) throw this.#end("stopping");
    if (signal.aborted) throw this.#end("client-gone");
    if (this.#waiting.length >= this.#options.limits.mostWaiting) throw this.#end("reports-queue-full");
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const order: Order = { report, input, sinceMs: null, resolve, reject };
    const abandon = (): void => this.#abandon(order);
    signal.addEventListener("abort", abandon, { once: true });
    this.#waiting.push(order);
    this.#runNext();
    return await promise.finally(() => signal.removeEventListener("abort", abandon));
  }

  describe(): ReportsState {
    const running = this.#running && {
      name: this.#running.report,
      forMs: measureRun(this.#running),
    };
    return { running, waiting: this.#waiting.length, reports: [...this.#figures.values()] };
  }

  close(): void {
    this.#isClosed = true;
    this.#rejectWaiting("stopping");
    // Not when the process has ended: a stop does not wait for it.
    this.#settle((order) => order.reject(this.#end("stopping")));
    this.#kill("stopping");
  }

  #end(reason: ReportEnd): ReportEnded {
    return new ReportEnded(reason, this.#options.limits);
  }

  #rejectWaiting(reason: ReportEnd): void {
    for (const { reject } of this.#waiting.splice(0)) reject(this.#end(reason));
  }

  #runNext(): void {
    if (this.#running !== null || this.#waiting.length === 0) return;
    if (this.#options.isWalBig()) return this.#rejectWaiting("reports-paused");
    this.#running = this.#waiting.shift() ?? null;
    this.warm();
    if (this.#isReady) this.#send();
    else this.#limitTo(startLimitMs);
  }

  #send(): void {
    const order = this.#running;
    if (order === null) return;
    order.sinceMs = performance.now();
    this.#limitTo(this.#options.limits.runMs);
    const { report, input } = order;
    // A process that is gone tells so itself.
    this.#child?.send({ report, input } satisfies ReportOrder, () => undefined);
  }

  #limitTo(limitMs: number): void {
    clearTimeout(this.#limit);
    this.#limit = setTimeout(() => this.#kill("report-out-of-time"), limitMs);
  }

  #abandon(order: Order): void {
    const index = this.#waiting.indexOf(order);
    if (index >= 0) {
      this.#waiting.splice(index, 1);
      order.reject(this.#end("client-gone"));
    } else if (order === this.#running) this.#kill("client-gone");
  }

  #kill(reason: ReportEnd): void {
    this.#killedFor ??= reason;
    this.#child?.kill("SIGKILL");
  }

  #start(): ChildProcess {
    const { runnerUrl, databasePath, limits } = this.#options;
    const { memoryBytes, answerBytes } = limits;
    const settings: ReportProcessSettings = { databasePath, memoryBytes, answerBytes };
    // The app's own environment holds the bucket's key, which a report does not need.
    const child = spawn("nice", ["-n", "10", process.execPath, fileURLToPath(runnerUrl), JSON.stringify(settings)], {
      stdio: ["ignore", "ignore", "inherit", "ipc"],
      serialization: "advanced",
      env: { PATH: process.env["PATH"] },
    });
    this.#isReady = false;
    this.#killedFor = null;
    child.on("message", (message: ReportMessage) => this.#take(message));
    child.once("error", (cause) => this.#gone(new Error("nice(1) cannot be run: install coreutils", { cause })));
    child.once("exit", (code, signal) => this.#gone(this.#explainExit(code, signal)));
    return child;
  }

  #take(message: ReportMessage): void {
    if (message.kind === "ready") {
      this.#isReady = true;
      return this.#send();
    }
    // The answer of a report that is over for its client already.
    if (this.#killedFor !== null) return;
    this.#settle((order) => answerOrder(order, message, this.#options.limits), message.kind === "done");
    this.#runNext();
  }

  #explainExit(code: number | null, signal: NodeJS.Signals | null): Error {
    const reason = this.#killedFor ?? (this.#isReady && signal === "SIGKILL" ? "report-out-of-memory" : null);
    if (reason !== null) return this.#end(reason);
    return new Error(`the process of reports ended with ${signal ?? code}; its last words are in the log`);
  }

  #gone(error: Error): void {
    const { report } = this.#running ?? {};
    if (error instanceof ReportEnded && report !== undefined && error.reason !== "client-gone")
      this.#options.log.warn({ report, cause: error.message }, "a report was ended");
    const wasReady = this.#isReady;
    this.#child = null;
    this.#isReady = false;
    this.#settle((order) => order.reject(error));
    this.#runNext();
    // One that cannot start is not tried again before somebody asks.
    if (wasReady) this.warm();
  }

  #settle(settle: (order: Order) => void, isDone = false): void {
    clearTimeout(this.#limit);
    const order = this.#running;
    if (order === null) return;
    this.#running = null;
    this.#count(order, isDone);
    settle(order);
  }

  #count(order: Order, isDone: boolean): void {
    const { report: name } = order;
    const { done, ended, longestMs } = this.#figures.get(name) ?? { done: 0, ended: 0, longestMs: 0 };
    const lastMs = measureRun(order);
    this.#figures.set(name, {
      name,
      done: done + (isDone ? 1 : 0),
      ended: ended + (isDone ? 0 : 1),
      lastMs,
      longestMs: Math.max(longestMs, lastMs),
    });
  }
}

/** A process that is not ready after this time is killed. On a busy computer it takes seconds. */
const startLimitMs = 30_000;

function measureRun({ sinceMs }: Order): number {
  return sinceMs === null ? 0 : Math.round(performance.now() - sinceMs);
}

function answerOrder({ report, resolve, reject }: Order, message: ReportMessage, limits: ReportLimits): void {
  switch (message.kind) {
    case "ready":
      return;
    case "done":
      return resolve(message.resultJson);
    case "rejected":
      return reject(new CommandRejected(message.code, message.status, message.detail));
    case "ended":
      return reject(new ReportEnded(message.reason, limits));
    case "failed": {
      const cause = Object.assign(new Error(message.cause), { stack: message.stack });
      return reject(new Error(`report "${report}" failed: ${message.cause}`, { cause }));
    }
    default:
      return message satisfies never;
  }
}
