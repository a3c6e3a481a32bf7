import { spawn } from "node:child_process";
import fs from "node:fs";

/**
 * Waits for the lock on an existing file, and returns a function that releases it. The kernel releases it too when this
 * process ends, in whatever way. Without `flock` it returns at once, so callers must also be safe without the lock.
 * @param {string} file
 * @param {() => void} onWait
 * @returns {Promise<() => void>}
 */
export async function lock(file, onWait) {
  const opened = fs.openSync(file, "r");
  /** @param {string[]} flags */
  const flock = (flags) =>
    new Promise((resolve) => {
      const child = spawn("flock", [...flags, "3"], { stdio: ["ignore", "ignore", "inherit", opened] });
      const end = () => child.kill();
      process.once("exit", end);
      /** @param {number | null} code */
      const finish = (code) => {
        process.removeListener("exit", end);
        resolve(code);
      };
      child.once("error", () => finish(null));
      child.once("close", finish);
    });
  // flock -n ends with 1 when another process has the lock.
  if ((await flock(["-n"])) === 1) {
    onWait();
    await flock([]);
  }
  return () => fs.closeSync(opened);
}
