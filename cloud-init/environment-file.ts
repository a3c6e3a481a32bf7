/** What a value of the file may be. Quotes, backslashes and blanks would need escapes, which systemd, the shell and curl read in three different ways. */
export const plainValue = /^[!#-&(-[\]-~]+$/;

/** Renders lines of /etc/lifeboat/environment, one file for systemd and for the shell: both read NAME='value'. The values are plain ones. */
export function renderEnvironmentLines(lines: Readonly<Record<string, string>>): string {
  return Object.entries(lines)
    .map(([name, value]) => `${name}='${value}'\n`)
    .join("");
}
