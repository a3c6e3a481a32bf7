import type { Log } from "../log.ts";

/** The epoch to judge, and the TXID that a checked sync had reached before the inspection. */
export type InspectedLife = { epoch: string; nonce: string; replicatedTxid: string };

/**
 * What an inspection found. `unknown`: no result, because the store is away or there is no room. `damaged-here`: the
 * machine's own database is damaged, so a new base would only spread the damage.
 */
export type Verdict = { state: "sound" } | { state: "broken" | "damaged-here" | "unknown"; cause: string };

/**
 * One way to inspect the replica. `everyMs` is read after each inspection, because it may depend on the database's
 * size.
 */
export type Inspection = {
  name: string;
  firstAfterMs: number;
  everyMs: () => number;
  inspect: (life: InspectedLife) => Promise<Verdict>;
};

type WatchOptions = {
  inspections: readonly Inspection[];
  log: Log;
  /** The epoch to be judged. Null while it is opening or lost. */
  life: () => InspectedLife | null;
  /** Called for each fault once. */
  onFault: () => void;
};

/**
 * A lifecycle rule of somebody may delete the same files again and again. The base of a large database is not uploaded
 * more often than this.
 */
const leastPauseMs = 600_000;
/** An inspection without a result is tried again soon, whatever the interval. */
const unknownRetryMs = 60_000;

/** Inspects the replica at intervals while its epoch is living, and keeps a fault until a new base is uploaded. */
export class ReplicaWatch {
  readonly #options: WatchOptions;
  readonly #timers = new Map<string, NodeJS.Timeout>();
  readonly #unknown = new Map<string, string>();
  #fault: { cause: string; curable: boolean } | null = null;
  #baseAt = Number.NEGATIVE_INFINITY;
  #over = false;

  constructor(options: WatchOptions) {
    this.#options = options;
  }

  start(): void {
    for (const inspection of this.#options.inspections) this.#schedule(inspection, inspection.firstAfterMs);
  }

  stop(): void {
    this.#over = true;
    for (const timer of this.#timers.values()) clearTimeout(timer);
  }

  /** Why the replica could not be restored. Kept until a new base is uploaded. */
  get fault(): string | null {
    return this.#fault?.cause ?? null;
  }

  /** Whether a new base would cure the fault and may be made now. */
  get wantsNewBase(): boolean {
    return this.#fault?.curable === true && Date.now() - this.#baseAt > leastPauseMs;
  }

  /** The new base was found in the bucket, so earlier faults no longer matter. */
  noteNewBase(): void {
    if (this.#fault === null) return;
    this.#options.log.info({ mended: this.#fault.cause }, "a new base is in the bucket");
    this.#fault = null;
    this.#baseAt = Date.now();
  }

  #schedule(inspection: Inspection, afterMs: number): void {
    if (this.#over) return;
    const timer = setTimeout(() => void this.#look(inspection), afterMs);
    timer.unref();
    this.#timers.set(inspection.name, timer);
  }

  /** A fault stands until the new base is uploaded, so nothing is inspected in the meantime. */
  async #look(inspection: Inspection): Promise<void> {
    const life = this.#fault === null ? this.#options.life() : null;
    const verdict = life === null ? null : await judge(inspection, life);
    // Ignore the verdict when the epoch has ended or changed during the inspection.
    if (!this.#over && verdict !== null && this.#options.life()?.nonce === life?.nonce) {
      this.#note(inspection.name, verdict);
    }
    const everyMs = inspection.everyMs();
    const soon = verdict === null || verdict.state === "unknown";
    this.#schedule(inspection, soon ? Math.min(everyMs, unknownRetryMs) : everyMs);
    if (this.#fault !== null) this.#options.onFault();
  }

  #note(inspection: string, verdict: Verdict): void {
    const { log } = this.#options;
    const reported = this.#unknown.get(inspection);
    this.#unknown.delete(inspection);
    if (verdict.state === "sound") {
      log.info({ inspection }, "the replica was judged and is sound");
      return;
    }
    const { state, cause } = verdict;
    if (state === "unknown") {
      this.#unknown.set(inspection, cause);
      if (reported !== cause) log.warn({ inspection, cause }, "the replica could not be judged");
      return;
    }
    this.#fault = { cause, curable: state === "broken" };
    if (state === "broken")
      log.warn({ inspection, cause }, "the replica is broken: bucket writes are refused until a new base is up");
    else log.error({ inspection, cause }, "this machine's database is damaged: bucket writes are refused");
  }
}

async function judge({ inspect }: Inspection, life: InspectedLife): Promise<Verdict> {
  try {
    return await inspect(life);
  } catch (error) {
    return { state: "unknown", cause: error instanceof Error ? error.message : String(error) };
  }
}
