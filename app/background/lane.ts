import { countFailure, forgetPerformed } from "../database/outbox-commands.ts";
import { type OutboxHandler, type PendingEffect, readTried, readUntried, readWaiting } from "../database/outbox.ts";
import type { Reader } from "../database/reader.ts";
import type { Writer } from "../database/writer.ts";
import type { Log } from "../log.ts";
import { RareCauses } from "../replica/rare-causes.ts";
import { describeError, pause, runLimited, Waker } from "./limited.ts";
import type { Ownership } from "./ownership.ts";

export type LaneLimits = {
  /** Least time between two proofs: it bounds the requests to the bucket that side effects cost. */
  proofEveryMs: number;
  tryLimitMs: number;
  /** The pause after the first failed try; it doubles with each. */
  firstRetryMs: number;
  lastRetryMs: number;
  /** After so many failed tries an effect is a dead letter. */
  attempts: number;
};

export type LaneOptions = {
  handler: OutboxHandler;
  reader: Pick<Reader, "read">;
  writer: Pick<Writer, "execute">;
  ownership: Ownership;
  /** Nothing is begun any more. */
  closing: AbortSignal;
  /** What is under way is given up. */
  aborting: AbortSignal;
  log: Log;
  limits: LaneLimits;
};

const batchLimit = 250;
/** So many ids are remembered as failed; while there are more, nothing new is tried. */
const retriesLimit = 10_000;
const heldPauseMs = 1_000;

/** The side effects of one handler, one after the other. A handler that is stuck holds up nobody else's. */
export class Lane {
  readonly #options: LaneOptions;
  readonly #waker = new Waker();
  readonly #causes = new RareCauses();
  /** When each effect that failed is tried again, on the clock of performance.now(). */
  readonly #retries = new Map<string, number>();
  /** Performed, but still in the table, since the writer refused to delete it. */
  readonly #performed = new Set<string>();
  #cause: string | null = null;

  constructor(options: LaneOptions) {
    this.#options = options;
  }

  get name(): string {
    return this.#options.handler.name;
  }

  /** Why the newest try failed; null after one that did not. */
  get cause(): string | null {
    return this.#cause;
  }

  /** Something may have come. */
  wake(): void {
    this.#waker.ring();
  }

  /** Performs what is due, until it is told to close. */
  async run(): Promise<void> {
    const { closing, log } = this.#options;
    closing.addEventListener("abort", () => this.#waker.ring(), { once: true });
    let isOpen = false;
    while (!closing.aborted) {
      try {
        if (!isOpen) this.#takeUpTried();
        isOpen = true;
        await this.#performDue();
      } catch (error) {
        this.#cause = describeError(error);
        if (!closing.aborted && this.#causes.isNews(this.#cause))
          log.error({ err: error, handler: this.name }, "side effects cannot be read or written");
        await pause(heldPauseMs, closing);
      }
    }
  }

  /** What had failed before this start is tried again at once: perhaps this release can do it. */
  #takeUpTried(): void {
    const { reader } = this.#options;
    for (const id of reader.read(readTried(this.name, retriesLimit))) this.#retries.set(id, 0);
  }

  async #performDue(): Promise<void> {
    const { ownership, closing, limits } = this.#options;
    for (const id of this.#performed) await this.#forget(id);
    // Before the proof: it holds for what was committed before it was asked for.
    const batch = this.#readDue();
    if (batch.length === 0) return this.#waker.wait(this.#nextRetryMs());
    const proof = await ownership.prove();
    if (proof === null) return pause(heldPauseMs, closing);
    for (const effect of batch) {
      if (!ownership.isFresh(proof)) break;
      await this.#perform(effect);
    }
    await pause(limits.proofEveryMs - (performance.now() - proof.monotonicMs), closing);
  }

  /** New ones and failed ones in turns, so that neither wait for an end of the others. */
  #readDue(): PendingEffect[] {
    const { reader } = this.#options;
    const isFull = this.#retries.size >= retriesLimit;
    const untried = isFull ? [] : reader.read(readUntried(this.name, batchLimit));
    const fresh = untried.filter(({ id }) => !this.#retries.has(id) && !this.#performed.has(id));
    const now = performance.now();
    const ids: string[] = [];
    for (const [id, dueAt] of this.#retries) if (dueAt <= now && ids.length < batchLimit) ids.push(id);
    const again = reader.read(readWaiting(this.name, ids));
    const waiting = new Set(again.map(({ id }) => id));
    for (const id of ids) if (!waiting.has(id)) this.#retries.delete(id);
    const turns = Array.from({ length: Math.max(fresh.length, again.length) }, (_, turn) => [again[turn], fresh[turn]]);
    return turns.flat().filter((effect) => effect !== undefined);
  }

  #nextRetryMs(): number {
    let next = Infinity;
    for (const dueAt of this.#retries.values()) next = Math.min(next, dueAt);
    return Math.max(0, next - performance.now());
  }

  async #perform(effect: PendingEffect): Promise<void> {
    const { handler, aborting, limits, log } = this.#options;
    const { id, attempts, created_at } = effect;
    const deliver = (signal: AbortSignal): Promise<void> =>
      handler.perform({
        id,
        // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what was sent to this handler
        payload: JSON.parse(effect.payload) as never,
        sentAt: new Date(created_at),
        attempt: attempts + 1,
        signal,
        log,
      });
    try {
      await runLimited(deliver, limits.tryLimitMs, aborting);
    } catch (error) {
      // A try that was given up says nothing about the effect.
      if (!aborting.aborted) await this.#noteFailure(effect, error);
      return;
    }
    this.#cause = null;
    this.#causes.forget();
    this.#retries.delete(id);
    this.#performed.add(id);
    await this.#forget(id);
  }

  /** No fsync: when it is lost, the receiver hears of the same id once more. */
  async #forget(id: string): Promise<void> {
    const { writer } = this.#options;
    await writer.execute(forgetPerformed.name, { id }, { durability: "commit" });
    this.#performed.delete(id);
  }

  async #noteFailure({ id, attempts }: PendingEffect, error: unknown): Promise<void> {
    const { writer, limits, log } = this.#options;
    const cause = describeError(error);
    this.#cause = cause;
    const failed = attempts + 1;
    const isLast = failed >= limits.attempts;
    const pauseMs = Math.min(limits.firstRetryMs * 2 ** attempts, limits.lastRetryMs);
    // First in memory: where the writer refuses, the effect must not be tried again at once.
    this.#retries.set(id, performance.now() + pauseMs);
    const fields = { handler: this.name, effect: id, attempt: failed, cause };
    if (!isLast && this.#causes.isNews(cause)) log.warn(fields, "a side effect failed and is tried again later");
    await writer.execute(countFailure.name, { id, cause, isLast }, { durability: "commit" });
    if (!isLast) return;
    this.#retries.delete(id);
    log.error(fields, "a side effect is given up after its last try; see /effects/dead-letters");
  }
}
