import { readFile } from "node:fs/promises";

import Database from "better-sqlite3";

/**
 * SQLite 3.7.0 to 3.51.2 can lose the start of a WAL that one process resets while another writes (sqlite.org/wal.html,
 * "the WAL-reset bug"). Writer and checkpointer are two processes here, so both must be past it.
 */
const oldestSafe = "3.51.3";

/** Throws when the SQLite called `where` is one that can corrupt the database. */
export function requireSafeSqlite(where: string, version: string): void {
  if (compareVersions(version, oldestSafe) >= 0) return;
  throw new Error(
    `${where} holds SQLite ${version}, which can corrupt a database in WAL mode; ${oldestSafe} or newer is needed: raise its pin`,
  );
}

/** The version of the SQLite that the app itself runs on. */
export function readOwnSqliteVersion(): string {
  const db = new Database(":memory:"); // not ours: an empty database that is only asked for its version
  try {
    return String(db.prepare("SELECT sqlite_version()").pluck().get());
  } finally {
    db.close();
  }
}

/**
 * The version of the SQLite inside a binary such as Litestream, which has no command that tells it: the text `3.x.y`
 * that stands alone between unprintable bytes, as `strings` would print it. The oldest, if there are several; throws if
 * none.
 */
export async function readEmbeddedSqliteVersion(path: string): Promise<string> {
  const text = (await readFile(path)).toString("latin1");
  const versions = [...text.matchAll(/(?<![\t -~])3\.\d{1,3}\.\d{1,3}(?![\t -~])/g)].map((match) => match[0]);
  const oldest = versions.toSorted(compareVersions)[0];
  if (oldest === undefined) throw new Error(`${path} names no SQLite version; is it Litestream?`);
  return oldest;
}

function compareVersions(left: string, right: string): number {
  const rights = right.split(".").map(Number);
  const difference = left.split(".").map((part, index) => Number(part) - (rights[index] ?? 0));
  return difference.find((part) => part !== 0) ?? 0;
}
