import type { BootLimits } from "./boot-limits.ts";
import { mayPass } from "./bucket-error.ts";
import type { Bucket } from "./bucket.ts";
import { epochPrefix } from "./chain.ts";

// Words of Go's network, and of the AWS SDK in Litestream when the store answers with a fault of its own.
const wordsOfStore =
  /StatusCode: (?:0|408|429|5\d\d)\b|SlowDown|Throttl|TooManyRequests|InternalError|ServiceUnavailable|RequestTimeout|RequestTimeTooSkewed|InvalidAccessKeyId|dial tcp|no such host|server misbehaving|connection re(?:fused|set)|broken pipe|i\/o timeout|handshake timeout|deadline exceeded|network is unreachable|no route to host/i;

const readersAtOnce = 8;

/**
 * Why the store, and not what lies in it, may be to blame for a restore that failed; null when Litestream's words do not
 * say so.
 */
export function blameStore(words: string): string | null {
  return wordsOfStore.test(words) ? words : null;
}

/**
 * Reads every file of an epoch as a restore would, and returns the fault that may pass which the store shows on the way;
 * null when the store gives them all. For words that leave it open: an early end is a torn connection or a file cut in
 * half. Throws BucketError for a fault that is final.
 */
export async function findStoreFault(bucket: Bucket, epoch: string, limits: BootLimits): Promise<string | null> {
  try {
    const keys = (await Array.fromAsync(bucket.list(epochPrefix(epoch)))).filter((key) => key.endsWith(".ltx"));
    const readers = Array.from({ length: readersAtOnce }, async () => {
      for (let key = keys.pop(); key !== undefined; key = keys.pop())
        await bucket.readThrough(key, limits.restoreStallMs);
    });
    await Promise.all(readers);
    return null;
  } catch (error) {
    if (mayPass(error)) return String(error);
    throw error;
  }
}
