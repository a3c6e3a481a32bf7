/**
 * The values that the file allows. Quotes, backslashes and blanks would need escapes, which systemd, the shell and curl
 * read in three different ways.
 */
export const plainValue = /^[!#-&(-[\]-~]+$/;

/**
 * Renders lines of /etc/lifeboat/environment, one file for systemd and for the shell: both read NAME='value'. The
 * values must match plainValue.
 */
export function renderEnvironmentLines(lines: Readonly<Record<string, string>>): string {
  return Object.entries(lines)
    .map(([name, value]) => `${name}='${value}'\n`)
    .join("");
}
