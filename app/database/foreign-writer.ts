import type { Log } from "../log.ts";
import { type LockPlaces, nameForeignWriter } from "./lock-holders.ts";

/**
 * Another process that keeps the write lock. Known from the first write that waited for it in vain; over as soon as the
 * kernel shows that it let go. One that the kernel does not show counts until the next commit, or for 10 s.
 */
export class ForeignWriter {
  readonly #places: LockPlaces;
  readonly #log: Log;
  #state: { holder: string | null; busyAtMs: number } | null = null;

  constructor(places: LockPlaces, log: Log) {
    this.#places = places;
    this.#log = log;
  }

  /** Who keeps the write lock, in words; null when nobody is known to. */
  get cause(): string | null {
    if (this.#state === null) return null;
    const holder = nameForeignWriter(this.#places);
    const isOver =
      holder === null && (this.#state.holder !== null || performance.now() - this.#state.busyAtMs > hiddenMs);
    if (isOver) this.noteFree();
    return this.#state === null ? null : describe(holder);
  }

  /** A write waited for the lock as long as SQLite waits, and was refused. */
  noteBusy(): void {
    const isNew = this.#state === null;
    const holder = nameForeignWriter(this.#places);
    this.#state = { holder, busyAtMs: performance.now() };
    if (isNew) this.#log.error({ cause: describe(holder) }, "the write lock is not free and writes are refused");
  }

  /** Somebody committed, or the kernel shows the lock free. */
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
