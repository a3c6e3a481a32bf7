import { once } from "node:events";
import { request } from "node:https";
import { connect } from "node:tls";

import { BucketError, type BucketFault, mayPass } from "./bucket-error.ts";
import type { Bucket } from "./bucket.ts";
import { ShapeError } from "./parse-json.ts";
import type { BucketConfig } from "./s3-client.ts";

const askingMs = 3_000;
const timeFaults = /CERT_HAS_EXPIRED|CERT_NOT_YET_VALID/;

/**
 * Looks closer at two faults that the failed call alone does not tell: a port with TLS that is spoken to without, which
 * looks like a torn connection; and a certificate out of its time, which may be our clock's fault. Returns the error
 * that says it, or the one that was given.
 */
export async function diagnoseEndpoint(error: unknown, { endpoint, bucket }: BucketConfig): Promise<unknown> {
  if (!(error instanceof BucketError) || endpoint === undefined) return error;
  const url = new URL(endpoint);
  const doing = `connecting to ${endpoint}, bucket ${bucket}`;
  const isTorn = (error.kind === "unreachable" && error.status === undefined) || error.kind === "not-a-store";
  if (url.protocol === "http:" && isTorn && (await speaksTls(url))) {
    return new BucketError("tls-refused", doing, {
      detail: "the endpoint says http://, but its port speaks TLS",
      cause: error,
    });
  }
  if (error.kind !== "tls-refused" || !timeFaults.test(error.message)) return error;
  const aheadMs = await readClockUnverified(url);
  if (aheadMs === null || Math.abs(aheadMs) <= skewLimitMs) return error;
  return new BucketError("clock-skewed", doing, { detail: `${describeSkew(aheadMs)}: ${error.message}`, cause: error });
}

async function speaksTls({ hostname: host, port }: URL): Promise<boolean> {
  const socket = connect({ host, port: Number(port || 80), rejectUnauthorized: false });
  try {
    await once(socket, "secureConnect", { signal: AbortSignal.timeout(askingMs) });
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

/** Nobody vouches for that answer: it may make boot wait, never go on. */
async function readClockUnverified(url: URL): Promise<number | null> {
  const asking = request(url, { method: "HEAD", rejectUnauthorized: false, agent: false });
  asking.once("response", (answer) => answer.resume());
  asking.end();
  try {
    const [answer]: { headers?: { date?: string } }[] = await once(asking, "response", {
      signal: AbortSignal.timeout(askingMs),
    });
    const storeMs = Date.parse(answer?.headers?.date ?? "");
    return Number.isNaN(storeMs) ? null : Date.now() - storeMs;
  } catch {
    return null;
  } finally {
    asking.on("error", () => undefined).destroy();
  }
}

/** Stores refuse requests that are 15 minutes off; ours has to be right before that. */
const skewLimitMs = 10 * 60_000;

/**
 * Throws BucketError `clock-skewed` when this machine's clock and the store's, by its latest answer, are too far apart.
 * The SDK and Litestream correct a skew for themselves where the store minds it, so nothing else would tell; but the
 * app keeps times and retention by this clock.
 */
export function assertClock(bucket: Bucket): void {
  const aheadMs = bucket.clockAheadMs();
  if (aheadMs === null || Math.abs(aheadMs) <= skewLimitMs) return;
  throw new BucketError("clock-skewed", `comparing clocks with bucket ${bucket.name}`, {
    detail: `${describeSkew(aheadMs)}; set this machine's clock, boot goes on by itself`,
  });
}

/** Says which way and how far the clock is off. */
function describeSkew(aheadMs: number): string {
  const seconds = Math.round(Math.abs(aheadMs) / 1000);
  return `clock is ${seconds} s ${aheadMs < 0 ? "behind" : "ahead of"} the store's`;
}

const check = "check endpoint, bucket, region and key of the store";

const advices: Partial<Record<BucketFault, string>> = {
  unsupported:
    "this store does not know a call that Lifeboat needs; use one that does (docs/cloud.md names those that were tried)",
  "never-matches":
    "this store takes no conditional write (PUT with If-Match), without which no claim can be won; use one that honours them, or a newer version of this one",
  "object-locked":
    "this bucket keeps objects by Object Lock, which wants a checksum with each PUT; Litestream 0.5.17 does not support that. Use a bucket without Object Lock or without a default retention (versioning does what Lifeboat needs)",
  "tls-refused":
    "check the endpoint: https:// or http://, the port, the name in its certificate, who signed that and until when it is valid, and this machine's clock; `openssl s_client -connect <host>:<port> </dev/null | openssl x509 -noout -issuer -dates -ext subjectAltName` shows them",
};

const refusesConditions =
  "this store refuses conditional writes (PUT with If-Match or If-None-Match), without which no claim can be won; use one that honours them";

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
  if (error.kind === "unsupported" && error.isConditional) return refusesConditions;
  const known = advicesByWord.find(([words]) => words.test(error.message));
  return advices[error.kind] ?? known?.[1] ?? check;
}
