import { createHash, randomInt } from "node:crypto";

import type Database from "better-sqlite3";

/** The content of one table: its first `rows` rows, hashed in the order of its B-tree. `whole` when these are all. */
export type TableDigest = { table: string; rows: number; whole: boolean; digest: string };

/**
 * Hashes the rows of every table within one snapshot, until `isOver`. A longer read would keep Litestream from
 * restarting the WAL. Rows that are not reached are left out; the first table is another one each time, so that all of
 * them have their turn.
 */
export function digestTables(db: Database.Database, isOver: () => boolean): TableDigest[] {
  const digests: TableDigest[] = [];
  const tables = listTables(db);
  const first = tables.length === 0 ? 0 : randomInt(tables.length);
  for (const table of [...tables.slice(first), ...tables.slice(0, first)]) {
    if (isOver()) break;
    digests.push(digestTable(db, table, { isOver, rows: Number.POSITIVE_INFINITY }));
  }
  return digests;
}

/** How many tables are compared. */
export function countTables(db: Database.Database): number {
  return listTables(db).length;
}

/** `rows` is null when there was no time to count them. */
export type RowCount = { table: string; rows: number | null };

/** Counts the rows of every table, until `deadline` on the clock of performance.now(). */
export function countRows(db: Database.Database, deadline: number): RowCount[] {
  return listTables(db).map((table) => {
    if (performance.now() > deadline) return { table, rows: null };
    const rows = db
      .prepare<[], number>(`select count(*) from "${table.replaceAll('"', '""')}"`)
      .pluck()
      .get();
    return { table, rows: rows ?? null };
  });
}

/** Names the first difference between the tables and an earlier digest of them. Null when there is none. */
export function findDifference(db: Database.Database, expected: readonly TableDigest[]): string | null {
  const tables = new Set(listTables(db));
  for (const { table, rows, whole, digest } of expected) {
    if (!tables.has(table)) return `table ${table} is missing`;
    const found = digestTable(db, table, { isOver: () => false, rows: whole ? rows + 1 : rows });
    if (found.rows !== rows)
      return `table ${table} has ${found.rows > rows ? "more" : found.rows} rows instead of ${rows}`;
    if (found.digest !== digest) return `table ${table} differs within its first ${rows} rows`;
  }
  return null;
}

/**
 * Without Litestream's two tables, which it writes itself, and SQLite's own, which follow from the others. The rows of
 * virtual tables are covered by their shadow tables.
 */
function listTables(db: Database.Database): string[] {
  const listed = db.prepare<[], string>(
    `select name from pragma_table_list where schema = 'main' and type in ('table', 'shadow')
     and name not like 'sqlite^_%' escape '^' and name not like '^_litestream^_%' escape '^' order by name`,
  );
  return listed.pluck().all();
}

type Bound = { isOver: () => boolean; rows: number };

function digestTable(db: Database.Database, table: string, { isOver, rows }: Bound): TableDigest {
  const hash = createHash("sha256");
  // In the order of the table's B-tree, which is the same in a copy of its pages.
  const statement = db.prepare<[], unknown[]>(`select * from "${table.replaceAll('"', '""')}" not indexed`);
  let seen = 0;
  for (const row of statement.raw().safeIntegers().iterate()) {
    for (const value of row) addValue(hash, value);
    seen += 1;
    if (seen >= rows || (seen % 1000 === 0 && isOver())) {
      return { table, rows: seen, whole: false, digest: hash.digest("hex") };
    }
  }
  return { table, rows: seen, whole: true, digest: hash.digest("hex") };
}

/** Hashes type and length first, so that different rows never hash alike. */
function addValue(hash: ReturnType<typeof createHash>, value: unknown): void {
  const bytes = Buffer.isBuffer(value) ? value : Buffer.from(String(value));
  hash.update(`${value === null ? "null" : typeof value}:${bytes.length}:`).update(bytes);
}
