import { spawn } from "node:child_process";
import fs from "node:fs";

/**
 * Waits until this process alone has the lock of an existing file, and returns what lets go of it. The kernel holds it for the file that we have open,
 * so it ends with us, however we end. Where there is no `flock` nobody is waited for: whoever calls this works in a folder of its own, leaves those of
 * others alone, and accepts what another has put into place first.
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
  // 1: somebody else has it.
  if ((await flock(["-n"])) === 1) {
    onWait();
    await flock([]);
  }
  return () => fs.closeSync(opened);
}
