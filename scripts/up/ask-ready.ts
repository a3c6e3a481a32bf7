import { get as getPlain } from "node:http";
import { get as getSecure } from "node:https";
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";

import { Type } from "typebox";
import { Value } from "typebox/value";

const ReadySchema = Type.Object({ state: Type.String(), uploadProgress: Type.Union([Type.String(), Type.Null()]) });
const answerLimitMs = 5_000;

export type Trust = {
  /** Whether a certificate of an authority that nobody knows will do. Nothing secret is sent. */
  takesAnyCertificate: boolean;
};

/** The machine answers, and is not ready. */
export class NotReady extends Error {}

/** The secure connection fails: there is no certificate, or none that this computer trusts. */
export class NoCertificate extends Error {}

/**
 * Asks /ready once, and returns the state of the replica: "living", or "opening" with the progress of the first upload.
 * Throws NotReady or NoCertificate, or what says that nothing answers.
 */
export async function askReady(url: string, { takesAnyCertificate }: Trust): Promise<string> {
  const { status, body } = await get(new URL("/ready", url), takesAnyCertificate).catch((error: unknown) => {
    throw isOfCertificate(error) ? new NoCertificate(`${url}: ${String(error)}`, { cause: error }) : error;
  });
  if (status !== 200) throw new NotReady(`/ready answers ${status}: ${body.slice(0, 500)}`);
  const { state, uploadProgress } = Value.Parse(ReadySchema, JSON.parse(body));
  return uploadProgress === null ? state : `${state} (${uploadProgress})`;
}

function get(url: URL, takesAnyCertificate: boolean): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(answerLimitMs);
    const answered = (answer: Readable & { statusCode?: number | undefined }) => {
      text(answer).then((body) => resolve({ status: answer.statusCode ?? 0, body }), reject);
    };
    const asked =
      url.protocol === "https:"
        ? getSecure(url, { signal, rejectUnauthorized: !takesAnyCertificate }, answered)
        : getPlain(url, { signal }, answered);
    asked.on("error", reject);
  });
}

// OpenSSL's reasons, Node's checks, and those codes of OpenSSL's verification that a browser would also complain about.
const ofCertificate = /^(ERR_SSL_|ERR_TLS_|CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|EPROTO$)/;

function isOfCertificate(error: unknown): boolean {
  return error instanceof Error && "code" in error && ofCertificate.test(String(error.code));
}
