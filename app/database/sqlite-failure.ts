import Database from "better-sqlite3";

/** True when SQLite found no space for the write. Nothing of the statement, or of the COMMIT, was kept. */
export function isDiskFull(error: unknown): boolean {
  return error instanceof Database.SqliteError && error.code === "SQLITE_FULL";
}

/** True when another connection kept the write lock for the whole busy timeout. */
export function isBusy(error: unknown): boolean {
  return error instanceof Database.SqliteError && error.code.startsWith("SQLITE_BUSY");
}
