import { Type, type Static } from "typebox";

import { BucketError } from "./bucket-error.ts";
import { type Bucket, sentinelKey } from "./bucket.ts";
import { parseJson } from "./parse-json.ts";

const SentinelSchema = Type.Object({ format: Type.Literal(1), bucketId: Type.String({ minLength: 8 }) });

export type Sentinel = Static<typeof SentinelSchema>;

/**
 * Reads the sentinel. Throws BucketError, or an Error when the object is not a sentinel (a web page answering 200,
 * say).
 */
export async function fetchSentinel(bucket: Bucket): Promise<Sentinel> {
  const stored = await bucket.get(sentinelKey);
  return parseJson(SentinelSchema, stored.text, sentinelKey);
}

/**
 * Writes the sentinel once, with If-None-Match; an existing one is adopted and never rewritten. Returns the one that
 * stands.
 */
export async function makeSentinel(bucket: Bucket, bucketId: string): Promise<Sentinel> {
  const sentinel: Sentinel = { format: 1, bucketId };
  try {
    await bucket.put(sentinelKey, JSON.stringify(sentinel), { ifNoneMatch: "*" });
    return sentinel;
  } catch (error) {
    if (error instanceof BucketError && error.kind === "precondition-failed") return fetchSentinel(bucket);
    throw error;
  }
}
