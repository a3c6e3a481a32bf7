import { setTimeout as sleep } from "node:timers/promises";

export type RoundsOptions = {
  /** One round of work. It is never run twice at a time. */
  round: () => Promise<void>;
  /** Least time between the starts of two rounds. */
  intervalMs: number;
  /** Pause after a round that failed. */
  retryMs: () => number;
  /** Told of each failed round. */
  onFailure: (error: unknown) => void;
};

type Waiter = { resolve: () => void; reject: (error: Error) => void; gone: boolean };

/** Lets many callers share one round of work. A caller is served only by a round that started after it came. */
export class SharedRounds {
  #options: RoundsOptions;
  #waiters = new Set<Waiter>();
  /** Those whom the round under way serves. */
  #group: readonly Waiter[] = [];
  #requested = false;
  #ended: Error | null = null;
  #running: Promise<void> | null = null;
  #startedAt = Number.NEGATIVE_INFINITY;

  constructor(options: RoundsOptions) {
    this.#options = options;
  }

  /**
   * Resolves when a round that started after this call has succeeded; rejects with what `timedOut` makes when that took
   * too long.
   */
  join(timeoutMs: number, timedOut: () => Error): Promise<void> {
    if (this.#ended !== null) return Promise.reject(this.#ended);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiter: Waiter = { resolve, reject, gone: false };
    const timer = setTimeout(() => {
      waiter.gone = true;
      this.#waiters.delete(waiter);
      reject(timedOut());
    }, timeoutMs);
    this.#waiters.add(waiter);
    this.#run();
    return promise.finally(() => clearTimeout(timer));
  }

  /** Asks for one more successful round that nobody waits for. */
  request(): void {
    this.#requested = true;
    this.#run();
  }

  /** Ends all rounds: whoever waits is rejected with `cause` at once. Resolves when the round under way is over. */
  async end(cause: Error): Promise<void> {
    this.#ended ??= cause;
    for (const waiter of [...this.#group, ...this.#waiters]) waiter.reject(cause);
    this.#waiters.clear();
    await this.#running;
  }

  #run(): void {
    if (this.#running !== null || !this.#isWanted()) return;
    this.#running = this.#loop().finally(() => {
      this.#running = null;
      // Somebody may have come after the loop's last look, when it still seemed to run.
      this.#run();
    });
  }

  #isWanted(): boolean {
    return this.#ended === null && (this.#requested || this.#waiters.size > 0);
  }

  async #loop(): Promise<void> {
    while (this.#isWanted()) {
      await sleep(Math.max(0, this.#startedAt + this.#options.intervalMs - performance.now()));
      if (this.#ended !== null) return;
      // Whoever comes from here on finds the set empty and waits for the next round.
      this.#group = [...this.#waiters];
      this.#waiters.clear();
      this.#requested = false;
      this.#startedAt = performance.now();
      await this.#oneRound();
    }
  }

  async #oneRound(): Promise<void> {
    try {
      await this.#options.round();
      for (const waiter of this.#group) waiter.resolve();
    } catch (error) {
      if (this.#ended !== null) return;
      this.#requested = true;
      for (const waiter of this.#group) if (!waiter.gone) this.#waiters.add(waiter);
      this.#options.onFailure(error);
      await sleep(this.#options.retryMs());
    }
  }
}
