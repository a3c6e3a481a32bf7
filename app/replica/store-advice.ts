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
    "check the endpoint: https:// or http://, the port, the name in its certificate, who signed that and until when it is valid, and this machine's clock; `openssl s_client -connect <host>:<port>` shows it",
};

/** What the store's own words mean, where the kind of the fault alone would send people to the wrong place. */
const advicesByWord: readonly (readonly [words: RegExp, next: string])[] = [
  [
    /\bKMS\b/,
    "check the key that encrypts the bucket (KMS): it must be enabled, and the store's key must be allowed to use it",
  ],
  [
    /Quota|StorageFull|PaymentRequired|AccountProblem/,
    "check the account at the store: its quota, its space, its bills",
  ],
  [
    /PermanentRedirect|AuthorizationHeaderMalformed|IllegalLocation/,
    "check the region: the bucket lies in another one",
  ],
];

/** What to do about a store that no waiting cures; null when a restart may cure it. */
export function adviseOnStore(error: unknown): string | null {
  if (error instanceof ShapeError)
    return `bring an earlier version of ${error.source} back in the bucket, or check the endpoint, if something else answers there`;
  if (!(error instanceof BucketError)) return null;
  if (error.kind !== "key-unknown" && mayPass(error)) return null;
  const known = advicesByWord.find(([words]) => words.test(error.message));
  return advices[error.kind] ?? known?.[1] ?? check;
}
