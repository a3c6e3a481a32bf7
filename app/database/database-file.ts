import { closeSync, existsSync, openSync, readSync, renameSync, rmSync, statSync } from "node:fs";
import { dirname } from "node:path";

import { fsyncPath } from "../durable-file.ts";

/** The file exists and is not a sound database. Only a restore, or a person, may replace it. */
export class DatabaseDamaged extends Error {
  override readonly name = "DatabaseDamaged";
}

/**
 * Throws DatabaseDamaged when the file is empty, which SQLite would treat as an empty database. Never opens the file:
 * POSIX drops all locks of a process on a file as soon as the process closes any descriptor of it. Then another process
 * could delete the WAL under our connections when it closes (sqlite.org/howtocorrupt.html, section 2.2).
 */
export function assertNotEmpty(path: string): void {
  if (statSync(path).size > 0) return;
  throw new DatabaseDamaged(`${path} has 0 bytes: its content was lost; restore it from the bucket`);
}

/**
 * Lets `make` write a new database beside the path and renames it into place when it is complete, so that a crash never
 * leaves an empty file that would count as damage. Throws DatabaseDamaged when a WAL or journal of a lost database lies
 * there.
 */
export function publishDatabaseFile(path: string, make: (newPath: string) => void): void {
  for (const sidecar of [`${path}-wal`, `${path}-journal`]) {
    if (existsSync(sidecar))
      throw new DatabaseDamaged(`${sidecar} has no database; set it aside before a new one is made`);
  }
  const newPath = `${path}.new`;
  for (const leftover of ["", "-wal", "-shm", "-journal"]) rmSync(newPath + leftover, { force: true });
  make(newPath);
  fsyncPath(newPath);
  renameSync(newPath, path);
  fsyncPath(dirname(path));
}

/**
 * True when the file exists and has SQLite's header. An empty file does not count: Litestream would turn it into a
 * database and upload that.
 */
export function isDatabase(path: string): boolean {
  const magic = "SQLite format 3\0";
  const header = Buffer.alloc(magic.length);
  let file: number;
  try {
    file = openSync(path, "r");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return false;
    throw error;
  }
  try {
    return readSync(file, header, 0, header.length, 0) === header.length && header.toString("latin1") === magic;
  } finally {
    closeSync(file);
  }
}
