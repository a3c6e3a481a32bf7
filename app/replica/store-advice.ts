import { BucketError, mayPass, type BucketFault } from "./bucket-error.ts";
import { ShapeError } from "./parse-json.ts";

const check = "check endpoint, bucket, region and key of the store";

const advices: Partial<Record<BucketFault, string>> = {
  unsupported:
    "this store refuses conditional writes (PUT with If-Match or If-None-Match), without which no claim can be won; use one that honours them",
  "never-matches":
    "this store takes no conditional write (PUT with If-Match), without which no claim can be won; use one that honours them, or a newer version of this one",
  "object-locked":
    "this bucket keeps objects by Object Lock, which wants a checksum with each PUT; Litestream 0.5.17 does not support that. Use a bucket without Object Lock or without a default retention (versioning does what Lifeboat needs), then boot again",
  "tls-refused":
    "check the endpoint: https:// or http://, the port, the name in its certificate, who signed that and until when it is valid, and this machine's clock",
};

/** What to do about a store that no waiting cures; null when a restart may cure it. */
export function adviseOnStore(error: unknown): string | null {
  if (error instanceof ShapeError)
    return `bring an earlier version of ${error.source} back in the bucket, or check the endpoint, if something else answers there`;
  if (!(error instanceof BucketError)) return null;
  if (error.kind === "key-unknown" || !mayPass(error)) return advices[error.kind] ?? check;
  return null;
}
