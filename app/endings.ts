import { Superseded } from "./replica/open-replication.ts";

/** Why the process ends. */
export type Ending = { signal: string } | { fencedBy: string } | { failure: unknown };

/** Collects the reasons to end. The first one starts the end. A fence is recorded even when it comes later. */
export class Endings {
  readonly #first = Promise.withResolvers<Ending>();
  readonly #fence = Promise.withResolvers<string>();
  #fencedBy: string | null = null;

  /** Listens for the signals of a stop. Repeated signals change nothing: a terminal and npm both send them. */
  constructor(signals: readonly NodeJS.Signals[]) {
    for (const signal of signals) process.on(signal, () => this.#first.resolve({ signal }));
  }

  /** The first reason. */
  get first(): Promise<Ending> {
    return this.#first.promise;
  }

  /** Resolves when another machine has taken over. */
  get fence(): Promise<string> {
    return this.#fence.promise;
  }

  get fencedBy(): string | null {
    return this.#fencedBy;
  }

  noteFence(fencedBy: string): void {
    this.#fencedBy = fencedBy;
    this.#fence.resolve(fencedBy);
    this.#first.resolve({ fencedBy });
  }

  noteFailure(failure: unknown): void {
    if (failure instanceof Superseded) this.noteFence(failure.message);
    else this.#first.resolve({ failure });
  }
}
