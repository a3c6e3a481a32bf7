import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { findCommitSequence, type CommitSequence } from "../database/commit-sequence.ts";
import { DatabaseDamaged } from "../database/database-file.ts";
import {
  checkForeignKeys,
  type Depth,
  fullCheck,
  openDatabase,
  quickCheck,
  readDatabase,
} from "../database/open-database.ts";
import { isOutOfSpace } from "../database/sqlite-failure.ts";
import { sizeOf, measureSpace } from "../durable-file.ts";
import { openBucket } from "./bucket.ts";
import { fetchHead } from "./head.ts";
import { type Blame, findBlame, syncReplica } from "./litestream.ts";
import type { Machine } from "./machine.ts";
import type { Verdict } from "./replica-watch.ts";
import { restoreEpoch, RestoreFailed } from "./restore.ts";
import { countTables, digestTables, findDifference, type TableDigest } from "./row-digest.ts";
import { limitSnapshot } from "./snapshot-limit.ts";

export type RehearsalLimits = {
  /** How long writes may wait while one sync determines the TXID of the snapshot. */
  pauseMs: number;
  /** A restore without progress for this long has stalled. */
  restoreStallMs: number;
  /** What must stay free on the disk that holds the restored database. */
  reserveBytes: number;
  /** Where the restored database may be put, in order of preference. */
  directories: readonly string[];
};

/** What is rehearsed: the state that is restored, and how it is judged. */
export type Rehearsal = {
  epoch: string;
  /** The state to restore. Without it the newest, or with `live` that of the live database. */
  txid?: string;
  /** Whether the rows are compared with the database that this machine serves. */
  live: boolean;
  depth: Depth;
  /** An empty directory for the restored database. Without it one is made where there is room. */
  directory?: string;
  /** Whether the disk has no room for a second copy of the replica's files. */
  isTight?: boolean;
};

/** What was restored. */
export type Copy = { txid: string; bytes: number; sequence: number; tables: number };
/** How far it was compared with the live database: `rows` of `tables` tables, `whole` when these are all. */
export type Compared = { tables: number; rows: number; whole: boolean };
/** `isDenied`: the store refused this key, so nothing could be judged. */
export type Finding = { verdict: Verdict; isDenied: boolean; copy: Copy | null; compared: Compared | null };

const mebibyte = 1024 * 1024;
const restoreTries = 3;
const retryMs = 1_000;

/** The limits of a serving machine. */
export function rehearsalLimits({ files }: Machine): RehearsalLimits {
  return {
    pauseMs: 2_000,
    // Longer than boot's, because nobody waits for it, and a store with many delete markers takes minutes for a
    // listing.
    restoreStallMs: 600_000,
    reserveBytes: 512 * mebibyte,
    // The system disk first: filling it up does not stop writes.
    directories: ["/var/tmp", files.dataDirectory],
  };
}

/**
 * Restores a state of an epoch into a temporary file and judges it: the check of the given depth, commit sequence and
 * token, and with `live` the rows of the live database at one commit, as far as they could be read from a snapshot in
 * bounded time. Blocks its thread while it hashes and checks, so it runs in a separate process. What says nothing about
 * the replica is `unknown`; programming errors are thrown.
 */
export async function rehearseRestore(
  machine: Machine,
  rehearsal: Rehearsal,
  limits: RehearsalLimits,
): Promise<Finding> {
  const directory = rehearsal.directory ?? makeDirectory(machine, limits);
  if (directory === null) return leaveOpen("no disk has room for a restored copy of the database");
  try {
    return await judgeCopy(machine, { ...rehearsal, directory }, limits);
  } catch (error) {
    if (error instanceof TypeError || error instanceof ReferenceError || !(error instanceof Error)) throw error;
    const blame = error instanceof RestoreFailed ? findBlame(error.message) : null;
    return leaveOpen(isOutOfSpace(error) ? `the disk is full: ${error.message}` : error.message, blame);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function leaveOpen(cause: string, blame: Blame | null = null): Finding {
  return { verdict: { state: "unknown", cause }, isDenied: blame === "store-refuses", copy: null, compared: null };
}

/** The first of these directories that has room for a copy of the live database. Null when none has. */
export function findRoom(
  { files }: Machine,
  { directories, reserveBytes }: Pick<RehearsalLimits, "directories" | "reserveBytes">,
): string | null {
  const neededBytes = sizeOf(files.database) + sizeOf(`${files.database}-wal`) + reserveBytes;
  return directories.find((directory) => measureSpace(directory).freeBytes > neededBytes) ?? null;
}

function makeDirectory(machine: Machine, limits: RehearsalLimits): string | null {
  const room = findRoom(machine, limits);
  if (room === null) return null;
  const directory = join(room, ".lifeboat-rehearsal");
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { mode: 0o700 });
  return directory;
}

async function judgeCopy(
  machine: Machine,
  rehearsal: Rehearsal & { directory: string },
  limits: RehearsalLimits,
): Promise<Finding> {
  const { epoch, directory, live, depth } = rehearsal;
  const snapshot = live ? await takeSnapshot(machine, limits) : null;
  const files = { ...machine.files, restored: join(directory, "db"), restoreConfig: join(directory, "restore.yml") };
  const wanted = snapshot === null ? rehearsal : { ...rehearsal, txid: snapshot.txid };
  const restored = await restoreAt({ ...machine, files }, wanted, limits);
  const judged = "failure" in restored ? restored.failure : judgeFile(restored.path, depth, snapshot);
  const isFailure = typeof judged === "string";
  const copy = isFailure || "failure" in restored ? null : { txid: restored.txid, ...judged };
  const compared = isFailure ? null : summarise(snapshot);
  if (!isFailure) return { verdict: { state: "sound" }, isDenied: false, copy, compared };
  const cause = `what epochs/${epoch}/ restores: ${judged}`;
  const own = live ? judgeOwn(machine) : null;
  return { verdict: own ?? { state: "broken", cause }, isDenied: false, copy, compared };
}

type Snapshot = { txid: string; sequence: CommitSequence; tables: TableDigest[]; tableCount: number };

function summarise(snapshot: Snapshot | null): Compared | null {
  if (snapshot === null) return null;
  const { tables, tableCount } = snapshot;
  const rows = tables.reduce((sum, table) => sum + table.rows, 0);
  return { tables: tables.length, rows, whole: tables.length === tableCount && tables.every(({ whole }) => whole) };
}

/** Nothing can be committed while the write lock is held, so the synced TXID is exactly that of this snapshot. */
async function takeSnapshot({ files }: Machine, { pauseMs }: RehearsalLimits): Promise<Snapshot> {
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
    using limit = limitSnapshot(files.database);
    const tables = digestTables(reader, limit.isReached);
    return { txid, sequence: findCommitSequence(reader), tables, tableCount: countTables(reader) };
  } finally {
    reader.close();
  }
}

/** Compaction may remove a file during a restore. The next try lists again. */
async function restoreAt(
  machine: Machine,
  { epoch, txid, isTight = false }: Rehearsal,
  { restoreStallMs: stallLimitMs }: RehearsalLimits,
): Promise<{ path: string; txid: string } | { failure: string }> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await restoreEpoch(machine, epoch, { stallLimitMs, txid, isTight });
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

/** What the file holds, or what is wrong with it. */
function judgeFile(path: string, depth: Depth, snapshot: Snapshot | null): Omit<Copy, "txid"> | string {
  try {
    return readDatabase(path, (restored) => {
      if (depth === "full") {
        fullCheck(restored);
        checkForeignKeys(restored);
      } else quickCheck(restored);
      const { sequence, token } = findCommitSequence(restored);
      const live = snapshot?.sequence ?? { sequence, token };
      if (sequence !== live.sequence || token !== live.token)
        return `it stands at commit ${sequence}, the live database stood at ${live.sequence}`;
      const difference = snapshot === null ? null : findDifference(restored, snapshot.tables);
      return difference ?? { bytes: sizeOf(path), sequence, tables: countTables(restored) };
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
