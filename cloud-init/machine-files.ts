/**
 * The values that may stand in a file: systemd, the shell and curl each read quotes, backslashes and blanks
 * differently.
 */
export const plainValue = /^[!#-&(-[\]-~]+$/;

/**
 * Renders lines of /etc/lifeboat/environment. systemd and the shell both read NAME='value', if plainValue allows the
 * value.
 */
export function renderEnvironmentLines(lines: Readonly<Record<string, string>>): string {
  return Object.entries(lines)
    .map(([name, value]) => `${name}='${value}'\n`)
    .join("");
}

/** The file of tokens on a machine. Root writes it; the app reads it, and reads it again when it changes. */
export const tokensFile = "/etc/lifeboat/tokens";

/** The names that a token may have. The app checks the same rule. */
export const tokenName = /[A-Za-z0-9][\w.-]{0,63}/;

/** An entry of the file of tokens: `<name>:<SHA-256 in hex>`, or the digest alone. */
export const tokensEntry = new RegExp(`^(?:${tokenName.source}:)?[0-9a-f]{64}$`);

/** Renders the file of tokens, one entry a line. */
export function renderTokensFile(entries: readonly string[]): string {
  return entries.map((entry) => `${entry}\n`).join("");
}

/** The file with the key for settings that come by the bucket. Root reads it. */
export const settingsKeyFile = "/etc/lifeboat/settings-key";

/** The key, of AES-256. */
export const settingsKeyRule = /^[0-9a-f]{64}$/;
