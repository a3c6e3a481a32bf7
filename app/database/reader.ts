import { openDatabase } from "./open-database.ts";
import { type DiskFailed, toDiskFailed } from "./sqlite-failure.ts";
import { type Reading, runTransaction } from "./transaction.ts";

/** Reads on a connection that cannot write. A transaction that does more than select does not compile here. */
export type Reader = {
  /**
   * Runs all selects of one reading on one snapshot, synchronously. Keep it short: an open snapshot stops checkpoints.
   */
  read<Result>(reading: Reading<Result>): Result;
  close(): void;
};

/**
 * Opens a read-only connection for one thread. Calls `onDiskFailed` on an I/O error, which the reading throws as well.
 */
export function openReader(path: string, onDiskFailed: (failure: DiskFailed) => void = () => undefined): Reader {
  const db = openDatabase(path, "reader");
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
