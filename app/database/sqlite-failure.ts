import Database from "better-sqlite3";

/** True when SQLite had no space for the write. Nothing of the statement, or of the COMMIT, was kept. */
export function isDiskFull(error: unknown): boolean {
  return error instanceof Database.SqliteError && error.code === "SQLITE_FULL";
}

/**
 * The disk failed under SQLite. Its answers can no longer be trusted: the process ends, and somebody has to check the
 * disk.
 */
export class DiskFailed extends Error {
  override readonly name = "DiskFailed";

  constructor(path: string, cause: Error & { code: string }) {
    super(
      `the disk fails under ${path}: ${cause.code} (${cause.message}); is the volume attached, and what does dmesg say?`,
      { cause },
    );
  }
}

/** Returns the error as DiskFailed if it was an I/O error, else undefined. */
export function toDiskFailed(error: unknown, path: string): DiskFailed | undefined {
  if (!(error instanceof Database.SqliteError) || !error.code.startsWith("SQLITE_IOERR")) return undefined;
  return new DiskFailed(path, error);
}

/** True when another connection held the write lock for the whole busy timeout. */
export function isBusy(error: unknown): boolean {
  return error instanceof Database.SqliteError && error.code.startsWith("SQLITE_BUSY");
}

/**
 * True when something failed because a disk is full, as reported by SQLite, the system or Litestream. By its words too:
 * an error from another thread or process has lost its class.
 */
export function isOutOfSpace(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (isDiskFull(error)) return true;
  if ("code" in error && (error.code === "ENOSPC" || error.code === "EDQUOT")) return true;
  return (
    /no space left on device|disk quota exceeded|database or disk is full/i.test(error.message) ||
    isOutOfSpace(error.cause)
  );
}
