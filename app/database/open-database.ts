import { existsSync } from "node:fs";

import Database from "better-sqlite3";

import { assertNotEmpty, DatabaseDamaged, publishDatabaseFile } from "./database-file.ts";
import { prepareStatement } from "./transaction.ts";

export type Role = "writer" | "reader" | "lock";
/** `quick` leaves out whether indexes agree with their tables: about 0.6 s for 300 MB instead of 10 s. */
export type Depth = "quick" | "full";

/**
 * The only function that opens databases. A writer creates the file if it does not exist. A reader opens it read-only
 * and can neither checkpoint nor delete the WAL, not even on close. A lock is a file whose content does not matter.
 * Throws DatabaseDamaged when the file exists but is not a sound database, Error when a pragma had no effect.
 */
export function openDatabase(path: string, role: Role): Database.Database {
  if (role === "writer" && !existsSync(path)) publishDatabaseFile(path, makeEmptyDatabase);
  if (role !== "lock") assertNotEmpty(path);
  const db = new Database(path, { readonly: role === "reader", fileMustExist: role !== "lock" });
  try {
    setPragmas(db, role);
    // Any statement reads the file and would wait for the holder of the lock.
    if (role !== "lock") assertSafeSqlite(db);
    assertPragmas(db, role);
    return db;
  } catch (error) {
    db.close();
    throw describeDamage(path, error);
  }
}

/**
 * Reads on a connection that cannot write, and closes it. So the WAL stays as it is for Litestream to checkpoint.
 * Throws DatabaseDamaged, also when the damage shows only during the read.
 */
export function readDatabase<Result>(path: string, read: (db: Database.Database) => Result): Result {
  const db = openDatabase(path, "reader");
  try {
    return read(db);
  } catch (error) {
    throw describeDamage(path, error);
  } finally {
    db.close();
  }
}

/** Reads the whole file and throws DatabaseDamaged with SQLite's first complaints. About 0.6 s for 300 MB. */
export function quickCheck(db: Database.Database): void {
  checkPages(db, "quick_check");
}

/** The same with everything that SQLite can check. */
export function fullCheck(db: Database.Database): void {
  checkPages(db, "integrity_check");
}

function checkPages(db: Database.Database, check: "quick_check" | "integrity_check"): void {
  const complaints = readComplaints(db, check);
  if (complaints.length === 1 && complaints[0] === "ok") return;
  throw new DatabaseDamaged(`${db.name} fails ${check}: ${complaints.join("; ")}`);
}

/** Throws DatabaseDamaged when a row refers to one that does not exist. */
export function checkForeignKeys(db: Database.Database): void {
  const text = `select "table" || ' row ' || ifnull(rowid, '?') || ' refers to no row of ' || parent from pragma_foreign_key_check`;
  const broken = db.prepare<[], string>(`${text} limit ${complaintLimit}`).pluck().all();
  if (broken.length > 0) throw new DatabaseDamaged(`${db.name} fails foreign_key_check: ${broken.join("; ")}`);
}

/** Bytes of the WAL in use. The file itself keeps its greatest size. Not for a connection in a transaction. */
export function readWalBytes(db: Database.Database): number {
  return countWalFrames(db) * (Number(db.pragma("page_size", { simple: true })) + walFrameHeaderBytes);
}

/** Frames of the WAL in use. */
export function countWalFrames(db: Database.Database): number {
  // NOOP only reports. It needs SQLite 3.51: an older version would treat it as PASSIVE, and openDatabase refuses
  // those.
  const [row] = prepareStatement<{ log: number }>(db, "pragma wal_checkpoint(NOOP)").all();
  // -1 means that there is no WAL.
  return Math.max(row?.log ?? 0, 0);
}

/** Before each page in the WAL. */
export const walFrameHeaderBytes = 24;

/** Whether there is any table besides SQLite's and Litestream's own. */
export function holdsTables(db: Database.Database): boolean {
  const text =
    "select 1 from sqlite_schema where type = 'table' and name not like 'sqlite\\_%' escape '\\' and name not like '\\_litestream\\_%' escape '\\' limit 1";
  return db.prepare(text).get() !== undefined;
}

const expectedPragmas = {
  busy_timeout: 5000,
  // Litestream owns checkpoints. With any other value rows silently vanish from the replica.
  wal_autocheckpoint: 0,
  journal_mode: "wal",
  synchronous: 1,
  cache_size: -64_000,
  foreign_keys: 1,
  mmap_size: 0,
};
const lockPragmas = new Set(["busy_timeout", "wal_autocheckpoint"]);
const complaintLimit = 5;
// The first version without the WAL-reset corruption, which needs a checkpointer in another process, such as
// Litestream.
const oldestSafeSqlite = "3.51.3";

function setPragmas(db: Database.Database, role: Role): void {
  db.pragma("busy_timeout = 5000");
  db.pragma("wal_autocheckpoint = 0");
  if (role === "lock") return;
  if (role === "writer") db.pragma("journal_mode = WAL");
  db.pragma("synchronous = NORMAL");
  db.pragma("cache_size = -64000");
  db.pragma("foreign_keys = ON");
}

function assertPragmas(db: Database.Database, role: Role): void {
  for (const [name, expected] of Object.entries(expectedPragmas)) {
    if (role === "lock" && !lockPragmas.has(name)) continue;
    const found = db.pragma(name, { simple: true });
    if (name === "journal_mode" && found !== expected) {
      throw new DatabaseDamaged(
        `${db.name} is in journal mode ${String(found)}: something else than Lifeboat wrote it`,
      );
    }
    if (found !== expected) {
      throw new Error(`${db.name}: PRAGMA ${name} is ${String(found)}, must be ${expected}; nothing is served from it`);
    }
  }
}

function assertSafeSqlite(db: Database.Database): void {
  const version = db.prepare<[], string>("select sqlite_version()").pluck().get() ?? "unknown";
  if (version.localeCompare(oldestSafeSqlite, "en", { numeric: true }) >= 0) return;
  throw new Error(
    `SQLite ${version} can corrupt a replicated database; install a better-sqlite3 with ${oldestSafeSqlite} or newer`,
  );
}

function makeEmptyDatabase(path: string): void {
  const db = new Database(path);
  db.pragma("journal_mode = WAL");
  db.close();
}

function describeDamage(path: string, error: unknown): unknown {
  if (!(error instanceof Database.SqliteError)) return error;
  if (!/^SQLITE_(?:NOTADB|CORRUPT)/.test(error.code)) return error;
  return new DatabaseDamaged(`${path} cannot be read: ${error.message}`, { cause: error });
}

function readComplaints(db: Database.Database, check: string): string[] {
  try {
    return db.prepare<[], string>(`pragma ${check}(${complaintLimit})`).pluck().all();
  } catch (error) {
    throw describeDamage(db.name, error);
  }
}
