import type { Durability } from "../database/write-outcome.ts";

/** A URL that is called while replication is proven. */
export type HeartbeatConfig = {
  url: string;
  /** The time between calls, a minute by default. */
  everyMs?: number;
  /** The time limit of one call, 10 s by default. */
  limitMs?: number;
  /** The maximum age of the last checked sync, a minute by default. */
  withinMs?: number;
};

export type ServerConfig = {
  /** The API tokens, each `<name>:<SHA-256 in hex>` or the digest alone. Unused when they come from a file. */
  tokenDigests: readonly string[];
  /** The file of tokens. It is read again when it changes. */
  tokensFile?: string;
  /** The file in which the server reports which tokens it uses, or why it cannot use the new ones. */
  tokensReport?: string;
  /** The secret that seals the cookies of sessions. Without it sessions end with the process. */
  sessionSecret?: string;
  /** The durability of a write whose request does not ask for one. */
  defaultDurability: Durability;
  /** How long a `bucket` write waits for the bucket before it is answered as committed, not replicated. */
  bucketTimeoutMs: number;
  /** How long a stop waits for pending answers before it breaks their connections, 10 s by default. */
  closeTimeoutMs?: number;
  /** Calls a URL for as long as everything is well. */
  heartbeat?: HeartbeatConfig;
};
