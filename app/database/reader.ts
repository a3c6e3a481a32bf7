import { openDatabase } from "./open-database.ts";
import { type DiskFailed, toDiskFailed } from "./sqlite-failure.ts";
import { type Reading, runTransaction, watchStatements } from "./transaction.ts";

/** Reads on a connection that cannot write. A transaction that does more than select does not compile here. */
export type Reader = {
  /**
   * Runs all selects of one reading on one snapshot, synchronously. Keep it short: every other request waits meanwhile,
   * and an open snapshot stops checkpoints. What takes long is a report.
   */
  read<Result>(reading: Reading<Result>): Result;
  close(): void;
};

/**
 * Opens a read-only connection for one thread. Calls `onDiskFailed` on an I/O error, which the reading throws as well,
 * and `onStatement` with each statement and how long it took.
 */
export function openReader(
  path: string,
  onDiskFailed: (failure: DiskFailed) => void = () => undefined,
  onStatement?: (text: string, tookMs: number) => void,
): Reader {
  const db = openDatabase(path, "reader");
  if (onStatement !== undefined) watchStatements(db, onStatement);
  return {
    read: (reading) => {
      try {
        return runTransaction(db, reading);
      } catch (error) {
        const failure = toDiskFailed(error, path);
        if (failure !== undefined) onDiskFailed(failure);
        throw error;
      }
    },
    close: () => void db.close(),
  };
}
