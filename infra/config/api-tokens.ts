import { createHash } from "node:crypto";

import { tokenName } from "../../cloud-init/machine-files.ts";

/** A token holds no blank and no comma, and is long enough not to be guessed. */
const namedToken = new RegExp(`^(?:(${tokenName.source}):)?([^\\s,]{24,})$`);

/**
 * Turns the setting, `<name>:<token>` or the token alone with commas between, into what a machine keeps: `<name>:<digest>` or the
 * digest alone, never a token.
 */
export function digestTokens(setting: string): string[] {
  return readTokens(setting).map(({ name, token }) => {
    const digest = createHash("sha256").update(token).digest("hex");
    return name === undefined ? digest : `${name}:${digest}`;
  });
}

/** What is wrong with the setting; null if nothing is. */
export function findTokensFault(setting: string): string | null {
  if (!setting.split(",").every((entry) => namedToken.test(entry)))
    return "must hold tokens of 24 characters or more, with commas between; a name may stand before each, as name:token";
  const names = new Map<string, string | undefined>();
  for (const { name, token } of readTokens(setting)) {
    // The app would refuse them, on the machine.
    if (names.has(token) && names.get(token) !== name)
      return `gives one token two names, ${names.get(token) ?? "none"} and ${name ?? "none"}`;
    names.set(token, name);
  }
  return null;
}

function readTokens(setting: string): { name: string | undefined; token: string }[] {
  return setting.split(",").map((entry) => {
    const [, name, token = entry] = namedToken.exec(entry) ?? [];
    return { name, token };
  });
}
