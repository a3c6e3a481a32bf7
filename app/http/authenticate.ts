import { createHash, timingSafeEqual } from "node:crypto";

import { Problem } from "./problem.ts";
import { parseTokens, type Token } from "./tokens.ts";

/** Says whose the token in an Authorization header is. Throws Problem `unauthorized` (401). */
export type Authenticate = (header: string | undefined) => string;

/** Makes the check from entries as parseTokens reads them. */
export function createAuthenticator(tokenDigests: readonly string[]): Authenticate {
  return authenticateWith(parseTokens(tokenDigests));
}

/**
 * Makes the check from the tokens' digests; the tokens themselves are stored nowhere. Digests have one length and all
 * of them are compared, each in constant time, so that the time tells nothing about a token.
 */
export function authenticateWith(tokens: readonly Token[]): Authenticate {
  const allowed = tokens.map(({ principal, digest }) => ({ principal, digest: Buffer.from(digest, "hex") }));
  return (header) => {
    const token = /^Bearer +([\x21-\x7e]+)$/i.exec(header ?? "")?.[1];
    if (token === undefined) throw unauthorized("Send the header Authorization: Bearer <token>.");
    const digest = createHash("sha256").update(token).digest();
    const matches = allowed.map((candidate) => timingSafeEqual(candidate.digest, digest));
    const match = allowed[matches.indexOf(true)];
    if (match === undefined) throw unauthorized("The token is not known here.");
    return match.principal;
  };
}

function unauthorized(detail: string): Problem {
  return new Problem(401, "unauthorized", detail, { headers: { "www-authenticate": 'Bearer realm="lifeboat"' } });
}
