import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";

import { BucketError } from "./bucket-error.ts";

export type PutCondition = { ifMatch: string } | { ifNoneMatch: "*" };

type Puts = { put(key: string, text: string, condition?: PutCondition): Promise<string> };

/** Whether the store can fence: with `advisory`, two machines could both acknowledge. */
export type Fence = "enforced" | "advisory";

/**
 * Tries whether the store honours conditional writes, on an object of this machine: If-Match must take the right ETag
 * and refuse what has changed, If-None-Match must refuse what exists. A store that ignores or does not know them gives
 * an advisory fence only. Throws BucketError when the store cannot be asked, and `never-matches` when it refuses the
 * right ETag in every form: no epoch could ever live there.
 */
export async function probeConditionalWrites(bucket: Puts, machineId: string): Promise<Fence> {
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
  /** Names the store in an error. */
  where: string;
};

/** Replaces an object that still has the ETag; returns the new one. */
export type Swap = (key: string, text: string, etag: string) => Promise<string>;

const staleReadMs = 500;

/**
 * Swaps in the form of If-Match that the store understands, and remembers it. The standard wants the ETag in quotes;
 * Hetzner and DigitalOcean are reported to answer 412 to that and to take it bare. So a 412 counts as another's win
 * only when the object has changed; else the other form is tried. A 412 has written nothing, so this repeats no write.
 * Throws BucketError: `never-matches` when neither form is taken though the object is unchanged.
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
      // A read may lag behind another's write: only what still holds after a while is a fault of the store.
      if (isUnmatched(error)) await sleep(staleReadMs);
      if (!isUnmatched(error) || !(await isUnchanged(calls, key, etag))) throw error;
      const detail = "it refuses If-Match with the very ETag that it gives for the object, with quotes and without";
      throw new BucketError("never-matches", `PUT ${key} (${calls.where})`, { detail, cause: error });
    }
  };
}

/** 409 is another write under way, whatever the form. */
function isUnmatched(error: unknown): boolean {
  return error instanceof BucketError && error.kind === "precondition-failed" && error.status === 412;
}

async function isUnchanged({ get }: Calls, key: string, etag: string): Promise<boolean> {
  try {
    return bare((await get(key)).etag) === bare(etag);
  } catch (error) {
    // Whoever asked reads again, and waits for the store where it must.
    if (error instanceof BucketError) return false;
    throw error;
  }
}

/** Without quotes, and without the mark of a weak ETag, which never matches. */
function bare(etag: string): string {
  return etag.replace(/^W\//, "").replaceAll('"', "");
}
