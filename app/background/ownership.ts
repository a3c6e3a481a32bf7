import type { Log } from "../log.ts";
import { elapsedMs, type Moment, readClocks } from "../replica/elapsed.ts";
import type { Replication } from "../replica/replication.ts";
import { describeError, orAborted } from "./limited.ts";

/** The part of the replication that tells whose head is; before it is there, it is only starting. */
export type Prover = Pick<Replication, "replicate"> & { readonly state: Replication["state"] | "starting" };

export type OwnershipOptions = {
  replication: Prover;
  /** Ends every wait for a proof. */
  closing: AbortSignal;
  log: Log;
  /** How long a proof is waited for, before the cause is told. */
  proofLimitMs: number;
  /** How old a proof may be when something is begun because of it. */
  proofAgeMs: number;
};

/**
 * The right to act outside of the database: whatever was committed is in the bucket, and this machine owned head after
 * that. So no later machine lacks the row for which something was done.
 */
export class Ownership {
  readonly #options: OwnershipOptions;
  #held: string | null = null;

  constructor(options: OwnershipOptions) {
    this.#options = options;
  }

  /** Why nothing is begun at present; null while nothing speaks against it. */
  get held(): string | null {
    return this.#held;
  }

  /** Proves that all that was committed before this call is in the bucket. Null when that cannot be had now. */
  async prove(): Promise<Moment | null> {
    const { replication, closing, proofLimitMs, log } = this.#options;
    if (closing.aborted) return null;
    try {
      await orAborted(replication.replicate(proofLimitMs), closing);
    } catch (error) {
      if (closing.aborted) return null;
      if (this.#held === null) log.warn({ err: error }, "side effects and jobs are held until the bucket answers");
      this.#held = error instanceof Error ? error.message : describeError(error);
      return null;
    }
    if (this.#held !== null) log.info({}, "side effects and jobs go on");
    this.#held = null;
    return readClocks();
  }

  /** Whether something may be begun because of this proof. A machine that was frozen has only old ones. */
  isFresh(proof: Moment): boolean {
    const { replication, closing, proofAgeMs } = this.#options;
    return !closing.aborted && replication.state !== "fenced" && elapsedMs(proof) <= proofAgeMs;
  }
}
