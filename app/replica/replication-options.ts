import type { Log } from "../log.ts";
import type { Bucket } from "./bucket.ts";
import type { NewBase } from "./new-base.ts";
import type { Inspection } from "./replica-watch.ts";
import type { Fence } from "./report.ts";

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
