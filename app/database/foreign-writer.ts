import type { Log } from "../log.ts";
import { type LockPlaces, nameForeignWriter } from "./lock-holders.ts";

/**
 * Another process that holds the write lock. It is noticed when a write times out on the lock, and forgotten when the
 * kernel shows that it has released the lock. One that the kernel does not show counts until the next commit, or for 10
 * s.
 */
export class ForeignWriter {
  readonly #places: LockPlaces;
  readonly #log: Log;
  #state: { holder: string | null; busyAtMs: number } | null = null;

  constructor(places: LockPlaces, log: Log) {
    this.#places = places;
    this.#log = log;
  }

  /** The process that holds the write lock, in words. Null when none is known. */
  get cause(): string | null {
    if (this.#state === null) return null;
    const holder = nameForeignWriter(this.#places);
    const isOver =
      holder === null && (this.#state.holder !== null || performance.now() - this.#state.busyAtMs > hiddenMs);
    if (isOver) this.noteFree();
    return this.#state === null ? null : describe(holder);
  }

  /** A write waited for the lock for SQLite's whole busy timeout and was refused. */
  noteBusy(): void {
    const isNew = this.#state === null;
    const holder = nameForeignWriter(this.#places);
    this.#state = { holder, busyAtMs: performance.now() };
    if (isNew) this.#log.error({ cause: describe(holder) }, "the write lock is not free and writes are refused");
  }

  /** Somebody committed, or the kernel shows that the lock is free. */
  noteFree(): void {
    if (this.#state === null) return;
    this.#state = null;
    this.#log.info({}, "the write lock is free again");
  }
}

const hiddenMs = 10_000;

function describe(holder: string | null): string {
  return `another connection holds the write lock: ${holder ?? "unknown, for no process that is visible here does"}`;
}
