/**
 * Rounds follow each other no faster: each makes one file, a restore reads every file that compaction has not merged yet,
 * and that takes 30 s (ADR 8). So there are 1,500 of them at most.
 */
const leastGapMs = 20;
/** What was not used is saved up for so long. */
const savedMs = 3_600_000;
/** Of 30.4 days. */
const monthMs = 2_628_000_000;

/** When the next round may start: as soon as the one before is over, within a price. */
export class RoundPace {
  readonly #gapMs: number;
  readonly #perMs: number;
  readonly #now: () => number;
  #saved: number;
  #countedAt: number;
  #startedAt = Number.NEGATIVE_INFINITY;

  /** `roundsPerMonth` is what a month costs at most, but for the hour that is saved up when it begins. */
  constructor(roundsPerMonth: number, { gapMs = leastGapMs, now = () => performance.now() } = {}) {
    this.#gapMs = gapMs;
    this.#perMs = roundsPerMonth / monthMs;
    this.#now = now;
    this.#saved = this.#most;
    this.#countedAt = now();
  }

  /** How long the next round has to wait. */
  get delayMs(): number {
    this.#count();
    const sinceStart = this.#now() - this.#startedAt;
    return Math.max(0, this.#gapMs - sinceStart, (1 - this.#saved) / this.#perMs);
  }

  noteStart(): void {
    this.#count();
    this.#saved -= 1;
    this.#startedAt = this.#now();
  }

  get #most(): number {
    return Math.max(1, savedMs * this.#perMs);
  }

  #count(): void {
    const now = this.#now();
    this.#saved = Math.min(this.#most, this.#saved + (now - this.#countedAt) * this.#perMs);
    this.#countedAt = now;
  }
}
