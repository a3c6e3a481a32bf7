import type { Log } from "../log.ts";
import { findBlame } from "./litestream.ts";

/** When a Litestream that does not work is reported and killed. Tests shorten the times. */
export type WatchLimits = {
  /** How long no sync may succeed before it is reported. */
  silentMs: number;
  /** Minimum times between two kills: the first pause, the second, and so on. The last one repeats. */
  pausesMs: readonly [number, ...number[]];
};

/** The limits in production. */
export const watchLimits: WatchLimits = { silentMs: 60_000, pausesMs: [60_000, 300_000, 1_800_000] };

type WatchOptions = {
  limits: WatchLimits;
  /**
   * Rejects when the store itself fails: then Litestream is not at fault. Makes Litestream's first request, a listing
   * of the epoch, because Litestream needs at least as long.
   */
  askStore: () => Promise<unknown>;
  /** Returns the pids. */
  kill: () => Promise<readonly number[]>;
  log: Log;
};

/** A Litestream that has been silent for this many times a listing of the store is not just slow. */
const slowListings = 3;

/**
 * Observes each sync. When none has succeeded for long, it reports that once, and kills a Litestream that hangs or
 * fails while the store answers. The supervisor starts it again.
 */
export class LitestreamWatch {
  readonly #options: WatchOptions;
  #failingSince: number | null = null;
  #reported = false;
  #kills = 0;
  #killedAt = Number.NEGATIVE_INFINITY;
  #isJudging = false;

  constructor(options: WatchOptions) {
    this.#options = options;
  }

  /** Runs one sync and observes its outcome, which is passed on unchanged. */
  async observe<Answer>(sync: () => Promise<Answer>): Promise<Answer> {
    const startedAt = performance.now();
    try {
      const answer = await sync();
      this.#noteSuccess();
      return answer;
    } catch (error) {
      this.#failingSince ??= startedAt;
      this.#noteFailure(error instanceof Error ? error.message : String(error), this.#failingSince);
      throw error;
    }
  }

  #noteSuccess(): void {
    if (this.#reported && this.#failingSince !== null)
      this.#options.log.info(
        { afterMs: Math.round(performance.now() - this.#failingSince) },
        "Litestream uploads again",
      );
    this.#failingSince = null;
    this.#reported = false;
    this.#kills = 0;
  }

  #noteFailure(cause: string, since: number): void {
    const { limits, log } = this.#options;
    const silentMs = Math.round(performance.now() - since);
    if (silentMs < limits.silentMs) return;
    if (!this.#reported) log.warn({ cause, silentMs }, "nothing reached the bucket for too long");
    this.#reported = true;
    const blame = findBlame(cause);
    // Restarting Litestream does not cure the store.
    if (this.#isJudging || !this.#mayKill() || blame === "store-fails" || blame === "store-refuses") return;
    this.#isJudging = true;
    // Not awaited: the listing may take minutes, and callers of a sync must not wait for it.
    this.#judge(cause, since)
      .catch((err: unknown) => log.warn({ err }, "a Litestream that does not upload cannot be killed"))
      .finally(() => (this.#isJudging = false));
  }

  async #judge(cause: string, since: number): Promise<void> {
    const { askStore, kill, log } = this.#options;
    const askedAt = performance.now();
    try {
      await askStore();
    } catch {
      return;
    }
    // A sync has succeeded in the meantime.
    if (this.#failingSince !== since) return;
    // Killed during its listing, it would start again and never finish.
    if (askedAt - since < slowListings * (performance.now() - askedAt)) return;
    this.#kills += 1;
    this.#killedAt = performance.now();
    const killedPids = await kill();
    log.warn({ killedPids, cause }, "Litestream does not upload though the store answers, and is killed");
  }

  #mayKill(): boolean {
    const { pausesMs } = this.#options.limits;
    const pauseMs = pausesMs[Math.min(Math.max(this.#kills - 1, 0), pausesMs.length - 1)] ?? pausesMs[0];
    return performance.now() - this.#killedAt >= pauseMs;
  }
}
