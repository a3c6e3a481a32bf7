import { closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync, statSync } from "node:fs";
import { dirname } from "node:path";

/** The file is there and is not a sound database. Only a restore, or a person, may replace it. */
export class DatabaseDamaged extends Error {
  override readonly name = "DatabaseDamaged";
}

/**
 * Throws DatabaseDamaged when the file is empty, which SQLite itself takes for an empty database. Never opens the file:
 * POSIX drops every lock that a process holds on a file as soon as the process closes any descriptor of it, and then
 * another process's close would delete the WAL under our connections (sqlite.org/howtocorrupt.html, section 2.2).
 */
export function assertNotEmpty(path: string): void {
  if (statSync(path).size > 0) return;
  throw new DatabaseDamaged(`${path} has 0 bytes: its content was lost; restore it from the bucket`);
}

/**
 * Lets `make` write a new database beside the path and puts it there whole, so that a crash never leaves an empty
 * file that would count as damage. Throws DatabaseDamaged when a WAL or journal of a lost database lies there.
 */
export function publishDatabaseFile(path: string, make: (newPath: string) => void): void {
  for (const sidecar of [`${path}-wal`, `${path}-journal`]) {
    if (existsSync(sidecar))
      throw new DatabaseDamaged(`${sidecar} has no database; set it aside before a new one is made`);
  }
  const newPath = `${path}.new`;
  for (const leftover of ["", "-wal", "-shm", "-journal"]) rmSync(newPath + leftover, { force: true });
  make(newPath);
  flushToDisk(newPath);
  renameSync(newPath, path);
  flushToDisk(dirname(path));
}

function flushToDisk(path: string): void {
  const file = openSync(path, "r");
  fsyncSync(file);
  closeSync(file);
}
