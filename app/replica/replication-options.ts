import type { Log } from "../log.ts";
import type { Bucket } from "./bucket.ts";
import type { Fence } from "./conditional-writes.ts";
import type { NewBase } from "./new-base.ts";
import type { Inspection } from "./replica-watch.ts";

/** What replication needs of the machine around it. */
export type ReplicationOptions = {
  bucket: Bucket;
  epoch: string;
  nonce: string;
  /** The run of the epoch that boot took up. */
  run: string;
  /** Uploads all that was committed before the call, within a time limit of its own; returns the replicated TXID. */
  sync: () => Promise<string>;
  /** Told of each checked sync before anybody is acknowledged by it. */
  onReplicated?: (replicated: { run: string; txid: string }) => void;
  /** Whether the store honours conditional writes. */
  fence: Fence;
  acceptAdvisoryFence: boolean;
  /** Size of the base that an opening epoch must upload. */
  baseBytes: () => number;
  /** Least time between the starts of two shared syncs: bounds the requests that `bucket` writes cost. */
  syncIntervalMs: number;
  /** How the replica is judged while the epoch lives. */
  inspections?: readonly Inspection[];
  /** Moves this life to an epoch of its own making when the replica is broken; without it `bucket` stays refused. */
  newBase?: NewBase;
  log: Log;
  /** Called once, when head is no longer ours. */
  onFenced: (cause: string) => void;
};

/**
 * After this long the replica is synced and head is read though nobody asks: the age that /ready shows must not be a
 * guess.
 */
export const idleSyncMs = 10_000;
/** A base above this size takes longer to upload than a request should wait. */
export const quickBaseBytes = 32 * 1024 * 1024;
export const unanswered = "the sync has not been answered yet";

const retryMs = 250;
const openingRetryMs = 20;
const quickOpeningMs = 10_000;

/**
 * The pause after a round that failed. While the epoch opens, Litestream may not be up or have no database yet, and the
 * first acknowledgement waits for it: so ask often.
 */
export function retryAfterMs(state: "opening" | "living" | "fenced", openForMs: number): number {
  return state === "opening" && openForMs < quickOpeningMs ? openingRetryMs : retryMs;
}

/**
 * Committed on this machine, but not proven to be in the bucket. `message` may be shown to clients, `cause` is for the
 * log.
 */
export class NotReplicated extends Error {
  override readonly name = "NotReplicated";
}
