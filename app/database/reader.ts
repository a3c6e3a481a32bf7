import { openDatabase } from "./open-database.ts";
import { type Reading, runTransaction } from "./transaction.ts";

/** Reads on a connection that cannot write. A transaction that does more than select does not compile here. */
export type Reader = {
  /**
   * Runs all selects of one reading on one snapshot, synchronously. Keep it short: an open snapshot stops checkpoints.
   */
  read<Result>(reading: Reading<Result>): Result;
  close(): void;
};

/** Opens a read-only connection for one thread. */
export function openReader(path: string): Reader {
  const db = openDatabase(path, "reader");
  return {
    read: (reading) => runTransaction(db, reading),
    close: () => void db.close(),
  };
}
