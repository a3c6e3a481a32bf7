/** What a value of the file may be. Quotes, backslashes and blanks would need escapes, which systemd, the shell and curl read in three different ways. */
export const plainValue = /^[!#-&(-[\]-~]+$/;

/** Renders lines of /etc/lifeboat/environment, one file for systemd and for the shell: both read NAME='value'. The values are plain ones. */
export function renderEnvironmentLines(lines: Readonly<Record<string, string>>): string {
  return Object.entries(lines)
    .map(([name, value]) => `${name}='${value}'\n`)
    .join("");
}

/** Where the tokens lie on a machine: root writes it, the app's group reads it, and the app reads it again when it changes. */
export const tokensFile = "/etc/lifeboat/tokens";

/** What a token may be called; the app demands the same. */
export const tokenName = /[A-Za-z0-9][\w.-]{0,63}/;

/** An entry of the file: `<name>:<SHA-256 in hex>`, or the digest alone. */
export const tokensEntry = new RegExp(`^(?:${tokenName.source}:)?[0-9a-f]{64}$`);

/** Renders the file from its entries, one a line. */
export function renderTokensFile(entries: readonly string[]): string {
  return entries.map((entry) => `${entry}\n`).join("");
}
