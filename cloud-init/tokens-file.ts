/**
 * Where the tokens are on a machine. Root writes the file, the app's group reads it, and the app reads it again when it
 * changes.
 */
export const tokensFile = "/etc/lifeboat/tokens";

/** The allowed names of a token. The app checks the same. */
export const tokenName = /[A-Za-z0-9][\w.-]{0,63}/;

/** An entry of the file: `<name>:<SHA-256 in hex>`, or the digest alone. */
export const tokensEntry = new RegExp(`^(?:${tokenName.source}:)?[0-9a-f]{64}$`);

/** Renders the file from its entries, one a line. */
export function renderTokensFile(entries: readonly string[]): string {
  return entries.map((entry) => `${entry}\n`).join("");
}
