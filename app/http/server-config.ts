import type { Durability } from "../database/write-outcome.ts";

export type ServerConfig = {
  /** SHA-256 digests of the API tokens, in hex. */
  tokenDigests: readonly string[];
  /** What a write promises when its request does not say. */
  defaultDurability: Durability;
  /** How long a `bucket` write waits for the bucket before it is answered as committed, not replicated. */
  bucketTimeoutMs: number;
  /** How long a stop waits for answers under way, 10 s unless said otherwise; then their connections are broken off. */
  closeTimeoutMs?: number;
};
