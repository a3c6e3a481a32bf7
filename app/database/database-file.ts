import { closeSync, existsSync, fsyncSync, openSync, readSync, renameSync, rmSync } from "node:fs";
import { dirname } from "node:path";

/** The file is there and is not a sound database. Only a restore, or a person, may replace it. */
export class DatabaseDamaged extends Error {
  override readonly name = "DatabaseDamaged";
}

/**
 * Throws DatabaseDamaged unless the file starts as a database does. SQLite itself takes an empty file for an empty
 * database.
 */
export function assertDatabaseHeader(path: string): void {
  const header = Buffer.alloc(fileMagic.length);
  const file = openSync(path, "r");
  const length = readSync(file, header, 0, header.length, 0);
  closeSync(file);
  if (length === 0) throw new DatabaseDamaged(`${path} has 0 bytes: its content was lost; restore it from the bucket`);
  if (!header.equals(fileMagic))
    throw new DatabaseDamaged(`${path} is not an SQLite database; restore it from the bucket`);
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

const fileMagic = Buffer.from("SQLite format 3\0", "latin1");

function flushToDisk(path: string): void {
  const file = openSync(path, "r");
  fsyncSync(file);
  closeSync(file);
}
