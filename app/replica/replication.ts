import { mayPass } from "./bucket-error.ts";
import { assertBase } from "./chain.ts";
import type { Fence } from "./conditional-writes.ts";
import { elapsedMs, readClocks, type Moment } from "./elapsed.ts";
import { HeadWatch } from "./head-watch.ts";
import { type Head, runOf, swapHead } from "./head.ts";
import type { OwnEpoch } from "./new-base.ts";
import { RareCauses } from "./rare-causes.ts";
import { ReplicaWatch } from "./replica-watch.ts";
import {
  NotReplicated,
  type ReplicationOptions,
  idleSyncMs,
  quickBaseBytes,
  retryAfterMs,
  unanswered,
} from "./replication-options.ts";
import { SharedRounds } from "./shared-rounds.ts";

/**
 * Sync, then check: a write is in the bucket when a sync that was sent after its commit has been answered, and a read
 * of head that started after that answer still shows our nonce, living. The first such sync makes the epoch living.
 * Also watches head, and fences this machine when head changes.
 */
export class Replication {
  readonly fence: Fence;
  #own: OwnEpoch;
  #options: ReplicationOptions;
  #rounds: SharedRounds;
  #watch = new HeadWatch(() => this.#lookAtHead());
  #replica: ReplicaWatch;
  #state: "opening" | "living" | "fenced" = "opening";
  #openedAt = Date.now();
  #checkedAt: Moment | null = null;
  #lastTxid: string | null = null;
  #lastCause: string = unanswered;
  #causes = new RareCauses();
  #polling = false;

  constructor(options: ReplicationOptions) {
    this.#options = options;
    this.#own = { epoch: options.epoch, nonce: options.nonce, run: options.run };
    this.fence = options.fence;
    this.#rounds = new SharedRounds({
      round: () => this.#syncThenCheck(),
      pace: options.pace,
      retryMs: () => retryAfterMs(this.#state, this.#openForMs),
      onFailure: (error) => this.#noteFailure(error),
    });
    this.#replica = new ReplicaWatch({
      inspections: options.inspections ?? [],
      log: options.log,
      life: () => (this.#state === "living" ? { ...this.#own, replicatedTxid: this.#lastTxid ?? "" } : null),
      onFault: () => this.#rounds.request(),
    });
  }

  /** Starts the first sync and the watch on head. */
  start(): void {
    this.#rounds.request();
    this.#watch.start();
    this.#replica.start();
  }

  get epoch(): string {
    return this.#own.epoch;
  }

  get nonce(): string {
    return this.#own.nonce;
  }

  get state(): "opening" | "living" | "fenced" {
    return this.#state;
  }

  /** Milliseconds since the last checked sync. Null when there was none. */
  get replicatedAgeMs(): number | null {
    return this.#checkedAt === null ? null : elapsedMs(this.#checkedAt);
  }

  /** The TXID of the last checked sync. Null when there was none. */
  get replicatedTxid(): string | null {
    return this.#lastTxid;
  }

  /** While the epoch opens: the size of the base that is uploaded, and for how long. */
  get uploadProgress(): string | null {
    if (this.#state !== "opening") return null;
    const megabytes = (this.#options.baseBytes() / 1024 / 1024).toFixed(1);
    return `base of ${megabytes} MB going up for ${(this.#openForMs / 1000).toFixed(1)} s`;
  }

  /** Why the replica could not be restored. Null while no fault is known. Kept until a new base is uploaded. */
  get replicaFault(): string | null {
    return this.#replica.fault;
  }

  /**
   * Why a `bucket` write could not be acknowledged soon, or at all, so that it should be refused before it is written.
   * Null when it can be.
   */
  get bucketRefusal(): string | null {
    const isSlow = this.#state === "opening" && this.#options.baseBytes() > quickBaseBytes;
    const slow = isSlow ? `the epoch is opening: ${this.uploadProgress ?? ""}` : null;
    const broken = this.replicaFault === null ? null : `the replica is broken: ${this.replicaFault}`;
    return this.#neverReplicates() ?? broken ?? slow;
  }

  /**
   * Resolves when everything committed before this call is in the bucket and head was ours afterwards, so that a
   * `bucket` write may be acknowledged. Throws NotReplicated after `timeoutMs`, and at once where the store cannot
   * fence and that has not been accepted.
   */
  async replicate(timeoutMs: number): Promise<void> {
    const never = this.#neverReplicates();
    if (never !== null) throw new NotReplicated(never);
    await this.upload(timeoutMs);
  }

  /**
   * The same round without an acknowledgement, for the restore point of a migration and the clean stop. It is needed on
   * every store. Throws NotReplicated.
   */
  async upload(timeoutMs: number): Promise<void> {
    await this.#rounds.join(
      timeoutMs,
      () => new NotReplicated(`not in the bucket after ${timeoutMs} ms`, { cause: new Error(this.#lastCause) }),
    );
  }

  /** The checked sync of a clean stop, after the last commit. Returns the replicated TXID. Throws NotReplicated. */
  async stop(timeoutMs: number): Promise<string> {
    await this.upload(timeoutMs);
    await this.abandon("the server stops");
    if (this.#lastTxid === null) throw new NotReplicated("no sync was ever answered");
    return this.#lastTxid;
  }

  /** Ends without a sync. Waiting callers get the cause. */
  async abandon(cause: string): Promise<void> {
    this.#watch.stop();
    this.#replica.stop();
    await this.#rounds.end(new NotReplicated(cause));
  }

  get #openForMs(): number {
    return Date.now() - this.#openedAt;
  }

  async #syncThenCheck(): Promise<void> {
    await this.#replaceBrokenReplica();
    const txid = await this.#options.sync();
    const { bucket } = this.#options;
    let { head, etag } = await this.#watch.fetchNow(bucket);
    if (this.#isOurs(head) && head.state === "opening") {
      await assertBase(bucket, this.epoch, txid);
      await swapHead(bucket, { ...head, state: "living" }, etag);
      ({ head } = await this.#watch.fetchNow(bucket));
    }
    if (!this.#isOurs(head) && !this.#isBeingClaimed(head)) throw this.#becomeFenced(head.machine, head.epoch);
    if (!this.#isOurs(head) || head.state !== "living") throw new NotReplicated("head could not be made living yet");
    if (this.#state === "opening")
      this.#options.log.info({ epoch: this.epoch, afterMs: this.#openForMs }, "epoch is living");
    if (this.#state === "opening") this.#replica.noteNewBase();
    this.#state = "living";
    this.#options.onReplicated?.({ run: this.#own.run, txid });
    this.#lastTxid = txid;
    this.#lastCause = unanswered;
    this.#causes.forget();
    this.#checkedAt = readClocks();
  }

  /** Runs within a round, so that no sync of the old epoch is in progress while the epoch changes. */
  async #replaceBrokenReplica(): Promise<void> {
    const { newBase, log } = this.#options;
    if (this.#state !== "living" || this.replicaFault === null) return;
    // A sync of a broken replica proves nothing.
    if (newBase === undefined || !this.#replica.wantsNewBase) throw new NotReplicated("the replica is broken");
    const { epoch } = this.#own;
    this.#own = await newBase.make(this.#own);
    this.#state = "opening";
    this.#openedAt = Date.now();
    log.warn(
      { from: epoch, to: this.#own.epoch, cause: this.replicaFault },
      "moved to a new epoch, its base is going up",
    );
  }

  /** A new base claims head in several steps. In between, head may show the epoch that was just left. */
  #isBeingClaimed(head: Head): boolean {
    return this.#options.newBase?.knows(head.nonce) === true;
  }

  #isOurs(head: Head): boolean {
    return head.nonce === this.#own.nonce && runOf(head) === this.#own.run;
  }

  #neverReplicates(): string | null {
    if (this.#state === "fenced") return "this machine was superseded and is fenced";
    if (this.fence === "enforced" || this.#options.acceptAdvisoryFence) return null;
    return "the store has no compare-and-swap, so two machines could both acknowledge; set LIFEBOAT_ACCEPT_ADVISORY_FENCE=true to accept that";
  }

  #noteFailure(error: unknown): void {
    const cause = error instanceof Error ? error.message : String(error);
    if (this.#causes.isNews(cause))
      this.#options.log.warn({ cause, state: this.#state }, "not replicated, trying again");
    this.#lastCause = cause;
  }

  #lookAtHead(): void {
    void this.#pollHead();
    if ((this.replicatedAgeMs ?? 0) > idleSyncMs) this.#rounds.request();
  }

  /**
   * A store that does not answer proves nothing, so the machine continues to serve. `bucket` writes wait for the store
   * anyway.
   */
  async #pollHead(): Promise<void> {
    if (this.#polling || this.#state === "fenced") return;
    this.#polling = true;
    try {
      const { head } = await this.#watch.fetchNow(this.#options.bucket);
      if (!this.#isOurs(head) && !this.#isBeingClaimed(head)) this.#becomeFenced(head.machine, head.epoch);
    } catch (error) {
      this.#noteFailure(error);
      if (!mayPass(error)) this.#options.log.warn({ cause: String(error) }, "head cannot be read");
    } finally {
      this.#polling = false;
    }
  }

  #becomeFenced(machine: string, epoch: string): NotReplicated {
    const cause = `machine ${machine} has taken over with epoch ${epoch}`;
    const refusal = "another machine has taken over";
    if (this.#state !== "fenced") {
      this.#state = "fenced";
      void this.abandon(refusal);
      this.#options.onFenced(cause);
    }
    return new NotReplicated(refusal, { cause: new Error(cause) });
  }
}
