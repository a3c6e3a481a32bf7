import type { Bucket } from "./bucket.ts";
import { type StoredHead, fetchHead } from "./head.ts";

/** How often a serving machine reads head. */
export const headPollMs = 1_500;
const tickMs = 100;
/**
 * A tick this late means that the process or the machine stood still: another machine may have taken over in the
 * meantime.
 */
const stallMs = 1_000;

/** Triggers a read of head regularly, and at once after the process stood still. Counts the stalls. */
export class HeadWatch {
  readonly #lookAtHead: () => void;
  #timer: NodeJS.Timeout | null = null;
  #tickedAt = 0;
  #wallClockAt = 0;
  #stalls = 0;

  constructor(lookAtHead: () => void) {
    this.#lookAtHead = lookAtHead;
  }

  /** Stalls so far, including one that just ended and whose tick is still to come. */
  get #stallsSoFar(): number {
    return this.#stalls + (this.#timer !== null && this.#isLate() ? 1 : 0);
  }

  /**
   * Reads head. An answer that arrived before a stall is out of date, because another machine may have begun to serve
   * since. Then it reads again. Throws BucketError, ShapeError.
   */
  async fetchNow(bucket: Bucket): Promise<StoredHead> {
    for (;;) {
      const stallsBefore = this.#stallsSoFar;
      const stored = await fetchHead(bucket);
      if (this.#stallsSoFar === stallsBefore) return stored;
    }
  }

  start(): void {
    this.#noteTick();
    let lookedAt = this.#tickedAt;
    this.#timer = setInterval(() => {
      const stalled = this.#isLate();
      this.#noteTick();
      if (stalled) this.#stalls++;
      if (!stalled && this.#tickedAt - lookedAt < headPollMs) return;
      lookedAt = this.#tickedAt;
      this.#lookAtHead();
    }, tickMs);
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  #noteTick(): void {
    this.#tickedAt = performance.now();
    this.#wallClockAt = Date.now();
  }

  // A hypervisor may stop the monotonic clock with the machine. The wall clock is corrected when the machine resumes.
  #isLate(): boolean {
    return performance.now() - this.#tickedAt > stallMs || Date.now() - this.#wallClockAt > stallMs;
  }
}
