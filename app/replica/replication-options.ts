import type { Log } from "../log.ts";
import type { Bucket } from "./bucket.ts";
import type { Fence } from "./conditional-writes.ts";
import type { NewBase } from "./new-base.ts";
import type { Inspection } from "./replica-watch.ts";
import type { RoundPace } from "./round-pace.ts";

/** What replication needs from the machine. */
export type ReplicationOptions = {
  bucket: Bucket;
  epoch: string;
  nonce: string;
  /** The run of the epoch that boot began. */
  run: string;
  /** Uploads everything committed before the call, within its own time limit. Returns the replicated TXID. */
  sync: () => Promise<string>;
  /** Called for each checked sync before any write is acknowledged by it. */
  onReplicated?: (replicated: { run: string; txid: string }) => void;
  /** Whether the store honours conditional writes. */
  fence: Fence;
  acceptAdvisoryFence: boolean;
  /** Size of the base that an opening epoch must upload. */
  baseBytes: () => number;
  /** When shared syncs may start. Limits what `bucket` writes cost. */
  pace: RoundPace;
  /** How the replica is inspected while the epoch is living. */
  inspections?: readonly Inspection[];
  /** Moves this machine to a new epoch when the replica is broken. Without it `bucket` stays refused. */
  newBase?: NewBase;
  log: Log;
  /** Called once, when head is no longer ours. */
  onFenced: (cause: string) => void;
};

/**
 * After this time the replica is synced and head is read even if nobody asks, so that the age in /ready is measured.
 */
export const idleSyncMs = 10_000;
/** A base above this size takes longer to upload than a request should wait. */
export const quickBaseBytes = 32 * 1024 * 1024;
export const unanswered = "the sync has not been answered yet";

const retryMs = 250;
const openingRetryMs = 20;
const quickOpeningMs = 10_000;

/**
 * The pause after a failed round. While the epoch opens, Litestream may not run or have no database yet, and the first
 * acknowledgement waits for it, so retry often.
 */
export function retryAfterMs(state: "opening" | "living" | "fenced", openForMs: number): number {
  return state === "opening" && openForMs < quickOpeningMs ? openingRetryMs : retryMs;
}

/**
 * Committed on this machine, but not proven to be in the bucket. `message` may be shown to clients. `cause` is for the
 * log.
 */
export class NotReplicated extends Error {
  override readonly name = "NotReplicated";
}
