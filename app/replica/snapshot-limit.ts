import { openDatabase, readWalBytes } from "../database/open-database.ts";

const mebibyte = 1024 * 1024;
const limits = {
  /** The guard warns at 128 MiB, starts no report there, and refuses writes at 512 MiB (ADR 20, ADR 47). */
  walBytes: 96 * mebibyte,
  /** Also where the WAL was big before: something must be compared. */
  leastMs: 2_000,
  mostMs: 600_000,
};
const measureMs = 50;

/**
 * How long the rows of the live database may be read from one snapshot: it keeps Litestream from restarting the WAL,
 * so until the WAL has grown near its alarm size. A quiet machine is compared whole, a busy one as far as it reaches.
 */
export function limitSnapshot(
  databasePath: string,
  { walBytes, leastMs, mostMs } = limits,
): Disposable & { isReached: () => boolean } {
  // The snapshot's own connection cannot measure: it is in a transaction.
  const db = openDatabase(databasePath, "reader");
  const beganAt = performance.now();
  let [measuredAt, bytes] = [Number.NEGATIVE_INFINITY, 0];
  const isReached = () => {
    const now = performance.now();
    if (now - beganAt < leastMs) return false;
    if (now - measuredAt >= measureMs) [measuredAt, bytes] = [now, readWalBytes(db)];
    return bytes >= walBytes || now - beganAt >= mostMs;
  };
  return { isReached, [Symbol.dispose]: () => db.close() };
}
