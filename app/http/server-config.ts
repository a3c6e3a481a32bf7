import type { Durability } from "../database/write-outcome.ts";

/** A URL that is called while replication is proven. */
export type HeartbeatConfig = {
  url: string;
  /** How far apart the calls are, a minute unless said otherwise. */
  everyMs?: number;
  /** How long one call may take, 10 s unless said otherwise. */
  limitMs?: number;
  /** How old the last checked sync may be, a minute unless said otherwise. */
  withinMs?: number;
};

export type ServerConfig = {
  /** The API tokens, each `<name>:<SHA-256 in hex>` or the digest alone; unused when they come from a file. */
  tokenDigests: readonly string[];
  /** The file that the tokens come from; it is read again when it changes. */
  tokensFile?: string;
  /** Where the server says which file of tokens it has taken, or why it cannot. */
  tokensReport?: string;
  /** What the cookies of sessions are sealed with; without it sessions end with the process. A secret. */
  sessionSecret?: string;
  /** What a write promises when its request does not say. */
  defaultDurability: Durability;
  /** How long a `bucket` write waits for the bucket before it is answered as committed, not replicated. */
  bucketTimeoutMs: number;
  /** How long a stop waits for answers under way, 10 s unless said otherwise; then their connections are broken off. */
  closeTimeoutMs?: number;
  /** Told to the outside as long as everything is well. */
  heartbeat?: HeartbeatConfig;
};
