import { createHash, timingSafeEqual } from "node:crypto";

import { Problem } from "./problem.ts";

/**
 * Makes the check of an Authorization header against SHA-256 digests (hex) of the allowed tokens; the tokens
 * themselves are stored nowhere. It throws Problem `unauthorized` (401). Digests have one length and all of them are
 * compared, each in constant time, so that the time tells nothing about a token.
 */
export function createAuthenticator(tokenDigests: readonly string[]): (header: string | undefined) => void {
  const allowed = tokenDigests.map(parseDigest);
  return (header) => {
    const token = /^Bearer +([\x21-\x7e]+)$/i.exec(header ?? "")?.[1];
    if (token === undefined) throw unauthorized("Send the header Authorization: Bearer <token>.");
    const digest = createHash("sha256").update(token).digest();
    const matches = allowed.map((candidate) => timingSafeEqual(candidate, digest));
    if (!matches.includes(true)) throw unauthorized("The token is not known here.");
  };
}

function parseDigest(hex: string): Buffer {
  if (/^[0-9a-f]{64}$/i.test(hex)) return Buffer.from(hex, "hex");
  throw new Error("an API token digest is not SHA-256 in 64 hex digits; make one with: printf %s TOKEN | sha256sum");
}

function unauthorized(detail: string): Problem {
  return new Problem(401, "unauthorized", detail, { headers: { "www-authenticate": 'Bearer realm="lifeboat"' } });
}
