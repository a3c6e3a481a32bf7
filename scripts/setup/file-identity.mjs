import fs from "node:fs";

/**
 * Size, times and inode of a file as one string; undefined if it is not there.
 * @param {string} file
 */
export function fileIdentity(file) {
  if (!fs.existsSync(file)) return undefined;
  const stat = fs.statSync(file);
  return [stat.size, stat.mtimeMs, stat.ctimeMs, stat.ino].join(" ");
}
