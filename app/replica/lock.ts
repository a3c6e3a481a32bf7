import { spawn } from "node:child_process";

import { openDatabase } from "../database/open-database.ts";
import { isBusy } from "../database/sqlite-failure.ts";

/** Another process holds the directory. Not final: it may be about to end. */
export class DirectoryInUse extends Error {
  override readonly name = "DirectoryInUse";
}

/**
 * Locks the directory for this process, by an exclusive transaction on a lock database. The kernel releases it when the
 * process dies. Waits up to the busy timeout (5 s) for a process that is ending. Throws DirectoryInUse.
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
 * Holds Litestream's lock on the directory until disposed: an earlier Litestream has ended then, and none can start.
 * Litestream runs under flock(1) and inherits its lock for as long as it lives. Here a `cat` holds it and ends with us.
 * Throws DirectoryInUse when an earlier one does not end within `waitSeconds`, Error without flock(1).
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
