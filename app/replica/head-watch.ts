const pollMs = 1_500;
const tickMs = 100;
/** A tick this late means that the process or the machine stood still: somebody may have taken over meanwhile. */
const stallMs = 1_000;

/** Asks for a look at head regularly, and at once after the process stood still. Counts how often it did. */
export class HeadWatch {
  readonly #lookAtHead: () => void;
  #timer: NodeJS.Timeout | null = null;
  #tickedAt = 0;
  #stalls = 0;

  constructor(lookAtHead: () => void) {
    this.#lookAtHead = lookAtHead;
  }

  /** Stalls so far, the one included from which the process has only just woken up, its tick still to come. */
  get stalls(): number {
    const late = this.#timer !== null && performance.now() - this.#tickedAt > stallMs;
    return this.#stalls + (late ? 1 : 0);
  }

  start(): void {
    this.#tickedAt = performance.now();
    let lookedAt = this.#tickedAt;
    this.#timer = setInterval(() => {
      const now = performance.now();
      const stalled = now - this.#tickedAt > stallMs;
      this.#tickedAt = now;
      if (stalled) this.#stalls++;
      if (!stalled && now - lookedAt < pollMs) return;
      lookedAt = now;
      this.#lookAtHead();
    }, tickMs);
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }
}
