import fs from "node:fs";
import path from "node:path";

/**
 * What the last set-up left behind. `files` are the binaries, recognised by size, times and inode:
 * hashing them again would cost half a second on every start (see binary-cache.ts for what that gives up).
 * @typedef {{ path: string, identity: string }} StampedFile
 * @typedef {{ packages: string, binaries: string, files: StampedFile[] }} Stamp
 */

/**
 * The stamp, or undefined if there is none that can be read.
 * @param {string} root
 * @returns {Stamp | undefined}
 */
export function readStamp(root) {
  try {
    const stamp = JSON.parse(fs.readFileSync(stampPath(root), "utf8"));
    return Array.isArray(stamp.files) ? stamp : undefined;
  } catch (error) {
    if (error instanceof SyntaxError || (error instanceof Error && "code" in error)) return undefined;
    throw error;
  }
}

/**
 * Replaces the stamp in one step. It lies inside node_modules, so it goes when they go.
 * @param {string} root
 * @param {Stamp} stamp
 */
export function writeStamp(root, stamp) {
  const whole = `${stampPath(root)}.${process.pid}`;
  fs.writeFileSync(whole, JSON.stringify(stamp));
  fs.renameSync(whole, stampPath(root));
}

/**
 * Size, times and inode of a file as one string; undefined if it is not there.
 * @param {string} file
 */
export function fileIdentity(file) {
  try {
    const stat = fs.statSync(file);
    return [stat.size, stat.mtimeMs, stat.ctimeMs, stat.ino].join(" ");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}

/** @param {string} root */
function stampPath(root) {
  return path.join(root, "node_modules", ".lifeboat-setup.json");
}
