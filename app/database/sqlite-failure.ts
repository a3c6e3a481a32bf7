import Database from "better-sqlite3";

/** True when SQLite found no space for the write. Nothing of the statement, or of the COMMIT, was kept. */
export function isDiskFull(error: unknown): boolean {
  return error instanceof Database.SqliteError && error.code === "SQLITE_FULL";
}

/** The disk failed under SQLite. Nothing that it still answers is to be trusted: the process ends, and whoever starts it looks at the disk. */
export class DiskFailed extends Error {
  override readonly name = "DiskFailed";

  constructor(path: string, cause: Error & { code: string }) {
    super(
      `the disk fails under ${path}: ${cause.code} (${cause.message}); is the volume attached, and what does dmesg say?`,
      { cause },
    );
  }
}

/** The error as DiskFailed when it was an I/O error, else undefined. */
export function toDiskFailed(error: unknown, path: string): DiskFailed | undefined {
  if (!(error instanceof Database.SqliteError) || !error.code.startsWith("SQLITE_IOERR")) return undefined;
  return new DiskFailed(path, error);
}

/** True when another connection kept the write lock for the whole busy timeout. */
export function isBusy(error: unknown): boolean {
  return error instanceof Database.SqliteError && error.code.startsWith("SQLITE_BUSY");
}

/** True when something failed because a disk is full: SQLite's word for it, the system's, or Litestream's last words. */
export function isOutOfSpace(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (isDiskFull(error)) return true;
  if ("code" in error && (error.code === "ENOSPC" || error.code === "EDQUOT")) return true;
  return /no space left on device|disk quota exceeded/i.test(error.message) || isOutOfSpace(error.cause);
}
