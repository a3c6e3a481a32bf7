import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises";

import type { RoundPace } from "./round-pace.ts";

export type RoundsOptions = {
  /** One round of work. Never runs twice at a time. */
  round: () => Promise<void>;
  /** When rounds may start. */
  pace: Pick<RoundPace, "delayMs" | "noteStart">;
  /** Pause after a failed round. */
  retryMs: () => number;
  /** Called for each failed round. */
  onFailure: (error: unknown) => void;
};

type Waiter = { resolve: () => void; reject: (error: Error) => void; gone: boolean };

/** Lets many callers share one round of work. A caller is served only by a round that started after its call. */
export class SharedRounds {
  #options: RoundsOptions;
  #waiters = new Set<Waiter>();
  /** The callers that the current round serves. */
  #group: readonly Waiter[] = [];
  #requested = false;
  #ended: Error | null = null;
  #running: Promise<void> | null = null;

  constructor(options: RoundsOptions) {
    this.#options = options;
  }

  /**
   * Resolves when a round that started after this call has succeeded. Rejects with the result of `timedOut` when that
   * takes too long.
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

  /** Ends all rounds and rejects waiting callers with `cause` at once. Resolves when the current round is over. */
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
      // A caller may have joined after the loop's last check, when it still seemed to run.
      this.#run();
    });
  }

  #isWanted(): boolean {
    return this.#ended === null && (this.#requested || this.#waiters.size > 0);
  }

  async #loop(): Promise<void> {
    while (this.#isWanted()) {
      const { pace } = this.#options;
      // Whoever comes in the same turn shares the round.
      await nextTurn();
      // A timer may fire up to a millisecond early.
      for (let delayMs = pace.delayMs; delayMs > 0; delayMs = pace.delayMs) await sleep(Math.ceil(delayMs));
      if (this.#ended !== null) return;
      // Later callers find the set empty and wait for the next round.
      this.#group = [...this.#waiters];
      this.#waiters.clear();
      this.#requested = false;
      pace.noteStart();
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
