import { spawn } from "node:child_process";

import { openDatabase } from "../database/open-database.ts";

/** Somebody else holds the directory. Not final: the other process may be about to end. */
export class DirectoryInUse extends Error {
  override readonly name = "DirectoryInUse";
}

/**
 * Takes the directory for this process: an exclusive transaction on a lock database, which the kernel releases when the
 * process dies, however it dies. Waits up to the busy timeout (5 s) for a process that is ending. Throws
 * DirectoryInUse.
 */
export function lockDirectory(lockPath: string): Disposable {
  const lock = openDatabase(lockPath, "lock");
  try {
    lock.exec("BEGIN EXCLUSIVE");
  } catch (error) {
    lock.close();
    throw new DirectoryInUse(
      `${lockPath} is held by another process: one process on one directory; stop the other one first`,
      { cause: error },
    );
  }
  return { [Symbol.dispose]: () => void lock.close() };
}

/**
 * Makes sure that no Litestream of an earlier life still runs here. Litestream is started under flock(1), whose lock it
 * inherits and keeps until it is gone. Throws DirectoryInUse when one does not end within `waitSeconds`, Error when
 * flock(1) is missing.
 */
export async function assertLitestreamGone(lockPath: string, waitSeconds: number): Promise<void> {
  const child = spawn("flock", ["--wait", String(waitSeconds), lockPath, "true"], { stdio: "ignore" });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", (error) => reject(new Error("flock(1) cannot be run: install util-linux", { cause: error })));
    child.once("exit", resolve);
  });
  if (code !== 0)
    throw new DirectoryInUse(
      `${lockPath} is held: a Litestream of an earlier life still runs on this directory; stop it first`,
    );
}
