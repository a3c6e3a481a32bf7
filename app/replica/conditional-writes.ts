import { randomUUID } from "node:crypto";

import { BucketError } from "./bucket-error.ts";
import type { Bucket, PutCondition } from "./bucket.ts";
import type { Fence } from "./report.ts";

/**
 * Tries whether the store honours conditional writes, on an object of this machine: If-Match must take the right ETag
 * and refuse what has changed, If-None-Match must refuse what exists. A store that ignores or does not know them gives
 * an advisory fence only. Throws BucketError when the store cannot be asked, and `never-matches` when it refuses the
 * right ETag in every form: no epoch could ever live there.
 */
export async function probeConditionalWrites(bucket: Bucket, machineId: string): Promise<Fence> {
  const key = `reports/conditional-writes/${machineId}.json`;
  const etag = await bucket.put(key, JSON.stringify({ probe: randomUUID() }));
  // Throws when the store knows If-Match but never takes it. Alone, for another PUT would change what the ETag names.
  await isRefused(bucket, key, { ifMatch: etag });
  const refused = await Promise.all([
    isRefused(bucket, key, { ifNoneMatch: "*" }),
    isRefused(bucket, key, { ifMatch: staleEtag }),
  ]);
  return refused.every(Boolean) ? "enforced" : "advisory";
}

const staleEtag = '"00000000000000000000000000000000"';

async function isRefused(bucket: Bucket, key: string, condition: PutCondition): Promise<boolean> {
  try {
    await bucket.put(key, JSON.stringify({ probe: randomUUID() }), condition);
    return false;
  } catch (error) {
    if (error instanceof BucketError && error.kind === "precondition-failed") return true;
    if (error instanceof BucketError && error.kind === "unsupported") return false;
    throw error;
  }
}
