import { once } from "node:events";
import { request } from "node:https";
import { connect } from "node:tls";

import { describeSkew, skewLimitMs } from "./assert-clock.ts";
import { BucketError } from "./bucket-error.ts";
import type { BucketConfig } from "./bucket.ts";

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
