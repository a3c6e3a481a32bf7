import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";

import { BucketError } from "./bucket-error.ts";

export type PutCondition = { ifMatch: string } | { ifNoneMatch: "*" };

type Puts = { put(key: string, text: string, condition?: PutCondition): Promise<string> };

/** Whether the store can fence. With `advisory`, two machines could both acknowledge. */
export type Fence = "enforced" | "advisory";

/**
 * Probes whether the store honours conditional writes, on an object of this machine. If-Match must accept the right
 * ETag and refuse an old one; If-None-Match must refuse an existing object. A store that ignores or does not know them
 * gives an advisory fence only. Throws BucketError when the store does not answer, and `never-matches` when it refuses
 * the right ETag in every form: no epoch could ever become living there.
 */
export async function probeConditionalWrites(bucket: Puts, machineId: string): Promise<Fence> {
  const key = `reports/conditional-writes/${machineId}.json`;
  const etag = await bucket.put(key, JSON.stringify({ probe: randomUUID() }));
  // Throws when the store knows If-Match but never accepts it. Must run alone, because another PUT would change the
  // ETag.
  await isRefused(bucket, key, { ifMatch: etag });
  const refused = await Promise.all([
    isRefused(bucket, key, { ifNoneMatch: "*" }),
    isRefused(bucket, key, { ifMatch: staleEtag }),
  ]);
  return refused.every(Boolean) ? "enforced" : "advisory";
}

const staleEtag = '"00000000000000000000000000000000"';

async function isRefused(bucket: Puts, key: string, condition: PutCondition): Promise<boolean> {
  try {
    await bucket.put(key, JSON.stringify({ probe: randomUUID() }), condition);
    return false;
  } catch (error) {
    if (error instanceof BucketError && error.kind === "precondition-failed") return true;
    if (error instanceof BucketError && error.kind === "unsupported") return false;
    throw error;
  }
}

type Calls = {
  put: (key: string, text: string, ifMatch: string) => Promise<string>;
  get: (key: string) => Promise<{ etag: string }>;
  /** The store's name in an error. */
  where: string;
};

/** Replaces an object that still has this ETag. Returns the new ETag. */
export type Swap = (key: string, text: string, etag: string) => Promise<string>;

const staleReadMs = 500;

/**
 * Swaps with the form of If-Match that the store accepts, and remembers it. The standard puts the ETag in quotes.
 * Hetzner and DigitalOcean are reported to answer 412 to that and to accept it without quotes. So a 412 counts as lost
 * only when the object has changed; otherwise the other form is tried. This repeats no write, because a 412 has written
 * nothing. Throws BucketError `never-matches` when neither form is accepted though the object is unchanged.
 */
export function swapInKnownForm(calls: Calls): Swap {
  let isQuoted = true;
  return async (key, text, etag) => {
    const send = (quoted: boolean) => calls.put(key, text, quoted ? `"${bare(etag)}"` : bare(etag));
    try {
      return await send(isQuoted);
    } catch (error) {
      if (!isUnmatched(error) || !(await isUnchanged(calls, key, etag))) throw error;
    }
    try {
      const swapped = await send(!isQuoted);
      isQuoted = !isQuoted;
      return swapped;
    } catch (error) {
      // A read may lag behind another writer: it is the store's fault only if the object is still unchanged after a
      // while.
      if (isUnmatched(error)) await sleep(staleReadMs);
      if (!isUnmatched(error) || !(await isUnchanged(calls, key, etag))) throw error;
      const detail = "it refuses If-Match with the very ETag that it gives for the object, with quotes and without";
      throw new BucketError("never-matches", `PUT ${key} (${calls.where})`, { detail, cause: error });
    }
  };
}

/** 409 means that another write is in progress, whatever the form. */
function isUnmatched(error: unknown): boolean {
  return error instanceof BucketError && error.kind === "precondition-failed" && error.status === 412;
}

async function isUnchanged({ get }: Calls, key: string, etag: string): Promise<boolean> {
  try {
    return bare((await get(key)).etag) === bare(etag);
  } catch (error) {
    // The caller reads again, and waits for the store if necessary.
    if (error instanceof BucketError) return false;
    throw error;
  }
}

/** Without quotes, and without the prefix of a weak ETag, which never matches. */
function bare(etag: string): string {
  return etag.replace(/^W\//, "").replaceAll('"', "");
}
