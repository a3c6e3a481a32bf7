import type Database from "better-sqlite3";

export type SqlValue = null | number | bigint | string | Uint8Array;

/** What a statement that a person has typed answers. Not complete when there are more rows than were asked for. */
export type Table = { columns: string[]; rows: SqlValue[][]; isComplete: boolean };

/** The statement is not one that only reads; nothing was run. */
export class NotARead extends Error {
  override readonly name = "NotARead";
}

/**
 * Runs one statement that reads, and returns its first rows. Integers come as bigint, bytes as Buffer. Throws NotARead
 * for anything else before SQLite sees it: SQLite runs some pragmas while it only prepares them, and a checkpoint also
 * on a connection that cannot write.
 */
export function readByHand(db: Database.Database, text: string, mostRows: number): Table {
  assertReads(text);
  const statement = db.prepare<[], SqlValue[]>(text);
  if (!statement.readonly || !statement.reader) throw new NotARead(refusal);
  const columns = statement.columns().map(({ name }) => name);
  const rows: SqlValue[][] = [];
  for (const row of statement.raw(true).safeIntegers(true).iterate()) {
    if (rows.length === mostRows) return { columns, rows, isComplete: false };
    rows.push(row);
  }
  return { columns, rows, isComplete: true };
}

const refusal =
  "only select, with, values, explain and pragmas that read are run here; the app's API writes, and so does a migration";

/** Pragmas without a side effect. Those of the first list take the name of a table or an index. */
const pragmasOfOne = [
  ["table_info", "table_xinfo", "table_list", "index_list", "index_info", "index_xinfo"],
  ["foreign_key_list", "foreign_key_check", "integrity_check", "quick_check"],
].flat();
const pragmas = [
  ["application_id", "auto_vacuum", "collation_list", "compile_options", "database_list", "encoding"],
  ["foreign_keys", "freelist_count", "function_list", "max_page_count", "module_list"],
  ["page_count", "page_size", "pragma_list", "schema_version", "synchronous", "user_version", "wal_autocheckpoint"],
].flat();
const reading = new RegExp(
  `^(?:(?:explain\\s+(?:query\\s+plan\\s+)?)?(?:select|with|values)\\b` +
    `|pragma\\s+(?:main\\.)?(?:(?:${pragmasOfOne.join("|")})(?:\\s*\\(\\s*['"]?\\w+['"]?\\s*\\))?|${pragmas.join("|")})\\s*;?\\s*$)`,
  "i",
);
const comment = /^(?:\s+|--[^\n]*(?:\n|$)|\/\*[^]*?\*\/)+/;

function assertReads(text: string): void {
  if (!reading.test(text.replace(comment, ""))) throw new NotARead(refusal);
}
