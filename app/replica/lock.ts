import { spawn } from "node:child_process";

import { openDatabase } from "../database/open-database.ts";
import { isBusy } from "../database/sqlite-failure.ts";

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
    if (!isBusy(error)) throw error;
    throw new DirectoryInUse(
      `${lockPath} is held by another process: one process on one directory; stop the other one first`,
      { cause: error },
    );
  }
  return { [Symbol.dispose]: () => void lock.close() };
}

/**
 * Takes Litestream's place on the directory until disposed: an earlier one is gone by then, and none can start
 * meanwhile. Litestream runs under flock(1), whose lock it inherits and keeps for as long as it lives; here a `cat`
 * keeps it, which ends with us. Throws DirectoryInUse when an earlier one does not end within `waitSeconds`, Error
 * without flock(1).
 */
export async function holdLitestreamLock(lockPath: string, waitSeconds: number): Promise<AsyncDisposable> {
  const script = "echo held && exec cat";
  const child = spawn("flock", ["--wait", String(waitSeconds), lockPath, "sh", "-c", script], {
    stdio: ["pipe", "pipe", "ignore"],
  });
  const ended = new Promise<void>((resolve) => void child.once("close", () => resolve()));
  await new Promise<void>((resolve, reject) => {
    child.once("error", (cause) => reject(new Error("flock(1) cannot be run: install util-linux", { cause })));
    child.stdout.once("data", () => resolve());
    child.once("close", () => reject(new DirectoryInUse(describeHolder(lockPath))));
  });
  return {
    async [Symbol.asyncDispose]() {
      child.stdin.end();
      await ended;
    },
  };
}

function describeHolder(lockPath: string): string {
  return `${lockPath} is held: a Litestream of an earlier life still runs on this directory; stop it first`;
}
