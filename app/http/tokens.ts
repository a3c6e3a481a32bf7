import { hash, timingSafeEqual } from "node:crypto";

import { Problem } from "./problem.ts";

/** One accepted API token: its owner, and its SHA-256 digest in hex. */
export type Token = { principal: string; digest: string };

/**
 * Parses entries of the form `<name>:<digest>`, or `<digest>` alone, which gets a name from its first digits. Two
 * digests may share a name, to rotate a token. Errors name an entry by its number and never quote it, because it may be
 * a token.
 */
export function parseTokens(entries: readonly string[]): Token[] {
  const tokens = new Map<string, Token>();
  for (const [index, entry] of entries.entries()) {
    const token = parseToken(entry, index + 1);
    const known = tokens.get(token.digest)?.principal ?? token.principal;
    if (known !== token.principal)
      throw new Error(`one digest has two names, ${known} and ${token.principal}; give each token one name`);
    tokens.set(token.digest, token);
  }
  return [...tokens.values()];
}

/**
 * Parses a file of tokens: entries on separate lines or with commas between. Blank lines and lines with `#` are
 * ignored.
 */
export function parseTokensFile(text: string): Token[] {
  const lines = text.split(/\r?\n/).filter((line) => !line.trimStart().startsWith("#"));
  const entries = lines.flatMap((line) => line.split(",")).map((entry) => entry.trim());
  const tokens = parseTokens(entries.filter((entry) => entry !== ""));
  if (tokens.length === 0) throw new Error("it holds no token; write at least one <name>:<digest> into it");
  return tokens;
}

const derivedNameDigits = 12;
const digestDigits = 64;
// No blank, comma or colon, because names appear in lists, before a digest, and before a key.
const namedToken = /^(?:([a-z0-9][a-z0-9._-]{0,63}):)?([0-9a-f]{64})$/i;

function parseToken(entry: string, number: number): Token {
  const parts = namedToken.exec(entry);
  const digest = parts?.[2]?.toLowerCase();
  if (digest === undefined) {
    throw new Error(
      `entry ${number} is neither <name>:<digest> nor a SHA-256 digest in 64 hex digits; make a digest with: printf %s TOKEN | sha256sum | cut -c1-64`,
    );
  }
  return { principal: parts?.[1] ?? `token-${digest.slice(0, derivedNameDigits)}`, digest };
}

/** Finds the token that an Authorization header carries. Throws Problem `unauthorized` (401). */
export type Authenticate = (header: string | undefined) => Token;

/**
 * Makes the check from the digests of the tokens. The tokens themselves are not stored. All digests have the same
 * length and all are compared in constant time, so that timing reveals nothing about a token.
 */
export function authenticateWith(tokens: readonly Token[]): Authenticate {
  const allowed = tokens.map((known) => ({ known, digest: Buffer.from(known.digest, "latin1") }));
  const given = Buffer.alloc(digestDigits);
  return (header) => {
    const token = /^Bearer +([\x21-\x7e]+)$/i.exec(header ?? "")?.[1];
    if (token === undefined) throw unauthorized("Send the header Authorization: Bearer <token>.");
    // In hex, which costs a third of a digest in a buffer of its own.
    given.write(hash("sha256", token, "hex"), "latin1");
    let match: Token | undefined;
    for (const { known, digest } of allowed) if (timingSafeEqual(digest, given)) match ??= known;
    if (match === undefined) throw unauthorized("The token is not known here.");
    return match;
  };
}

/** The answer to a request without a valid token or session. */
export function unauthorized(detail: string): Problem {
  return new Problem(401, "unauthorized", detail, { headers: { "www-authenticate": 'Bearer realm="lifeboat"' } });
}
