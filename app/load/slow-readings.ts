import type { Log } from "../log.ts";

/** A statement that held up everything else, by its text. */
export type SlowReading = { statement: string; count: number; longestMs: number; lastAt: string };

/**
 * Remembers the statements that were slow on the thread that answers requests. SQLite cannot be interrupted there, so
 * nothing ends them: they are told, to be made reports.
 */
export class SlowReadings {
  readonly #log: Log;
  readonly #byText = new Map<string, SlowReading>();
  #total = { count: 0, heldMs: 0 };

  constructor(log: Log) {
    this.#log = log;
  }

  /** Notes how long a statement took. Logs the first time that it is slow, and each time that it is twice as slow. */
  note = (text: string, tookMs: number): void => {
    if (tookMs < slowMs) return;
    this.#total = { count: this.#total.count + 1, heldMs: this.#total.heldMs + tookMs };
    const statement = text.slice(0, textLimit);
    const before = this.#byText.get(statement);
    // Lists of values make a new text for each length.
    if (before === undefined && this.#byText.size >= mostTexts) return;
    const durationMs = Math.round(tookMs);
    const longestMs = Math.max(before?.longestMs ?? 0, durationMs);
    const reading = { statement, count: (before?.count ?? 0) + 1, longestMs, lastAt: new Date().toISOString() };
    this.#byText.set(statement, reading);
    if (durationMs < 2 * (before?.longestMs ?? 0)) return;
    const cause = "every other request waited for this statement; make it a report, or give it an index";
    this.#log.warn({ cause, durationMs, statement }, "a reading was slow");
  };

  /** How many there were since the start, and for how long they held up everything else. */
  get total(): Readonly<{ count: number; heldMs: number }> {
    return this.#total;
  }

  /** The slowest first. */
  list(): SlowReading[] {
    return [...this.#byText.values()].toSorted((left, right) => right.longestMs - left.longestMs);
  }
}

const slowMs = 100;
const textLimit = 300;
const mostTexts = 50;
