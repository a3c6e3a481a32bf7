import { type ReportEnd, ReportEnded } from "../database/report.ts";
import type { Reports, ReportsState } from "../database/reports.ts";

/** Counts for how long the lane of reports is taken, and how many reports a limit ends. */
export class ReportLoad {
  readonly #nowMs: () => number;
  #reports: Reports | null = null;
  #asked = 0;
  #sinceMs = 0;
  #runningMs = 0;
  #ended = 0;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** Since the start. */
  get total(): Readonly<{ runningMs: number; ended: number }> {
    const runsMs = this.#asked > 0 ? this.#nowMs() - this.#sinceMs : 0;
    return { runningMs: this.#runningMs + runsMs, ended: this.#ended };
  }

  /** The same reports. What runs through them is counted. */
  follow(reports: Reports): Reports {
    this.#reports = reports;
    return {
      run: (report, input, signal) => this.#count(reports.run(report, input, signal)),
      describe: () => reports.describe(),
      warm: () => reports.warm(),
      close: () => reports.close(),
    };
  }

  describe(): ReportsState {
    return this.#reports?.describe() ?? { running: null, waiting: 0, reports: [] };
  }

  // One report runs at a time, so while one has no answer, one runs or begins.
  async #count(answer: Promise<string>): Promise<string> {
    if (this.#asked === 0) this.#sinceMs = this.#nowMs();
    this.#asked += 1;
    try {
      return await answer;
    } catch (error) {
      if (error instanceof ReportEnded && byLimit.has(error.reason)) this.#ended += 1;
      throw error;
    } finally {
      this.#asked -= 1;
      if (this.#asked === 0) this.#runningMs += this.#nowMs() - this.#sinceMs;
    }
  }
}

/** Those that never began are no sign of a report that is too heavy. */
const byLimit: ReadonlySet<ReportEnd> = new Set([
  "report-out-of-time",
  "report-out-of-memory",
  "report-too-large",
  "disk-full",
]);
