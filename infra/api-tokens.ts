import { createHash } from "node:crypto";

import { parseTokens, tokenName } from "../app/http/tokens.ts";

/** A token holds no blank and no comma, and is long enough not to be guessed. */
const namedToken = new RegExp(`^(?:(${tokenName.source}):)?([^\\s,]{24,})$`);

/**
 * Turns the setting, `<name>:<token>` or the token alone with commas between, into what a machine keeps: `<name>:<digest>` or the
 * digest alone, never a token.
 */
export function digestTokens(setting: string): string[] {
  return setting.split(",").map((entry) => {
    const [, name, token = entry] = namedToken.exec(entry) ?? [];
    const digest = createHash("sha256").update(token).digest("hex");
    return name === undefined ? digest : `${name}:${digest}`;
  });
}

/** What is wrong with the setting; null if nothing is. */
export function findTokensFault(setting: string): string | null {
  if (!setting.split(",").every((entry) => namedToken.test(entry)))
    return "must hold tokens of 24 characters or more, with commas between; a name may stand before each, as name:token";
  try {
    parseTokens(digestTokens(setting));
    return null;
  } catch (error) {
    return `cannot be used: ${error instanceof Error ? error.message : String(error)}`;
  }
}
