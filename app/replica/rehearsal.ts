import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { findCommitSequence, type CommitSequence } from "../database/commit-sequence.ts";
import { DatabaseDamaged } from "../database/database-file.ts";
import { openDatabase, quickCheck, readDatabase } from "../database/open-database.ts";
import { isOutOfSpace } from "../database/sqlite-failure.ts";
import { sizeOf, measureSpace } from "../durable-file.ts";
import { openBucket } from "./bucket.ts";
import { fetchHead } from "./head.ts";
import { findBlame, syncReplica } from "./litestream.ts";
import type { Machine } from "./machine.ts";
import type { Verdict } from "./replica-watch.ts";
import { restoreEpoch, RestoreFailed } from "./restore.ts";
import { digestTables, findDifference, type TableDigest } from "./row-digest.ts";

export type RehearsalLimits = {
  /** How long writes may wait while one sync determines the TXID of the snapshot. */
  pauseMs: number;
  /** How long the snapshot of the live database may be read. */
  readMs: number;
  /** A restore without progress for this long has stalled. */
  restoreStallMs: number;
  /** What must stay free on the disk that holds the restored database. */
  reserveBytes: number;
  /** Where the restored database may be put, in order of preference. */
  directories: readonly string[];
};

const mebibyte = 1024 * 1024;
const restoreTries = 3;
const retryMs = 1_000;

/** The limits of a serving machine. */
export function rehearsalLimits({ files }: Machine): RehearsalLimits {
  return {
    pauseMs: 2_000,
    readMs: 20_000,
    // Longer than boot's, because nobody waits for it, and a store with many delete markers takes minutes for a
    // listing.
    restoreStallMs: 600_000,
    reserveBytes: 512 * mebibyte,
    // The system disk first: filling it up does not stop writes.
    directories: ["/var/tmp", files.dataDirectory],
  };
}

/**
 * Restores an epoch into a temporary file and compares it with the live database at one commit: quick_check, commit
 * sequence and token, and the rows that could be read from a snapshot in bounded time. Blocks its thread while it
 * hashes, so it runs in a separate process. Throws failures that say nothing about the replica.
 */
export async function rehearseRestore(machine: Machine, epoch: string, limits: RehearsalLimits): Promise<Verdict> {
  const room = findRoom(machine, limits);
  if (room === null) return { state: "unknown", cause: "no disk has room for a restored copy of the database" };
  const directory = join(room, ".lifeboat-rehearsal");
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { mode: 0o700 });
  try {
    const snapshot = await takeSnapshot(machine, limits);
    const files = { ...machine.files, restored: join(directory, "db"), restoreConfig: join(directory, "restore.yml") };
    const path = await restoreAt({ ...machine, files }, epoch, { txid: snapshot.txid, limits });
    const difference = typeof path === "string" ? compare(path, snapshot) : path.failure;
    if (difference === null) return { state: "sound" };
    return judgeOwn(machine) ?? { state: "broken", cause: `what epochs/${epoch}/ restores: ${difference}` };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function findRoom({ files }: Machine, { directories, reserveBytes }: RehearsalLimits): string | null {
  const neededBytes = sizeOf(files.database) + sizeOf(`${files.database}-wal`) + reserveBytes;
  return directories.find((directory) => measureSpace(directory).freeBytes > neededBytes) ?? null;
}

type Snapshot = { txid: string; sequence: CommitSequence; tables: TableDigest[] };

/** Nothing can be committed while the write lock is held, so the synced TXID is exactly that of this snapshot. */
async function takeSnapshot({ files }: Machine, { pauseMs, readMs }: RehearsalLimits): Promise<Snapshot> {
  const reader = openDatabase(files.database, "reader");
  try {
    const lock = openDatabase(files.database, "writer");
    let txid: string;
    try {
      lock.exec("begin immediate");
      reader.exec("begin");
      // The snapshot begins with the first read.
      findCommitSequence(reader);
      txid = await syncReplica(files.litestreamSocket, files.database, pauseMs);
      lock.exec("rollback");
    } finally {
      lock.close();
    }
    return { txid, sequence: findCommitSequence(reader), tables: digestTables(reader, performance.now() + readMs) };
  } finally {
    reader.close();
  }
}

/** Compaction may remove a file during a restore. The next try lists again. */
async function restoreAt(
  machine: Machine,
  epoch: string,
  { txid, limits }: { txid: string; limits: RehearsalLimits },
): Promise<string | { failure: string }> {
  for (let attempt = 1; ; attempt++) {
    try {
      return (await restoreEpoch(machine, epoch, { stallLimitMs: limits.restoreStallMs, txid })).path;
    } catch (error) {
      if (!(error instanceof RestoreFailed)) throw error;
      // This says nothing about the files.
      if (isOutOfSpace(error) || findBlame(error.message) !== null) throw error;
      if (attempt === restoreTries) {
        // Throws when the store itself is away. When it answers, the files are at fault.
        await fetchHead(openBucket(machine.bucket));
        return { failure: error.message };
      }
      await sleep(retryMs);
    }
  }
}

function compare(path: string, snapshot: Snapshot): string | null {
  try {
    return readDatabase(path, (restored) => {
      quickCheck(restored);
      const { sequence, token } = findCommitSequence(restored);
      if (sequence !== snapshot.sequence.sequence || token !== snapshot.sequence.token)
        return `it stands at commit ${sequence}, the live database stood at ${snapshot.sequence.sequence}`;
      return findDifference(restored, snapshot.tables);
    });
  } catch (error) {
    if (error instanceof DatabaseDamaged) return error.message;
    throw error;
  }
}

/** A base made from a damaged database would only spread the damage. */
function judgeOwn({ files }: Machine): Verdict | null {
  try {
    readDatabase(files.database, quickCheck);
    return null;
  } catch (error) {
    if (!(error instanceof DatabaseDamaged)) throw error;
    return { state: "damaged-here", cause: error.message };
  }
}
