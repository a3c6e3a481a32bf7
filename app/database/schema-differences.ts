import { join } from "node:path";

import type Database from "better-sqlite3";

import { applyMigrations } from "./migrate.ts";
import type { Migration } from "./migration.ts";
import { openDatabase } from "./open-database.ts";

/** One table as the planner and the constraints see it: not its text, which differs by blanks and quotes. */
type TableShape = Record<"kind" | "columns" | "references" | "unique", string>;

/**
 * Compares the tables of a database with those that these migrations make in an empty one, which is made in the folder
 * `scratch`. Names each difference in words. More tables than that are no difference.
 */
export function findSchemaDifferences(
  db: Database.Database,
  migrations: readonly Migration[],
  scratch: string,
): string[] {
  const model = openDatabase(join(scratch, "model.db"), "writer");
  try {
    applyMigrations(model, migrations);
    return listTables(model).flatMap((table) => {
      const [wanted, found] = [readShape(model, table), readShape(db, table)];
      if (found === null) return [`table ${table} is missing`];
      return (["kind", "columns", "references", "unique"] as const).flatMap((part) =>
        wanted?.[part] === found[part]
          ? []
          : [`table ${table}: ${part} are ${found[part] || "none"}, not ${wanted?.[part] || "none"}`],
      );
    });
  } finally {
    model.close();
  }
}

function listTables(db: Database.Database): string[] {
  const text =
    "select name from pragma_table_list where schema = 'main' and type = 'table' and name not like 'sqlite\\_%' escape '\\' and name not like '\\_%' escape '\\' order by name";
  return db.prepare<[], string>(text).pluck().all();
}

function readShape(db: Database.Database, table: string): TableShape | null {
  const read = (text: string) => db.prepare<[string], string>(text).pluck().all(table).join(", ");
  const kind = read(
    "select iif(strict, 'strict', 'not strict') || iif(wr, ' without rowid', '') from pragma_table_list(?) where schema = 'main'",
  );
  if (kind === "") return null;
  return {
    kind,
    columns: read(
      `select name || ' ' || lower(type) || iif("notnull", ' not null', '') || iif(pk > 0, ' key ' || pk, '') || iif(hidden > 0, ' generated', '')
       from pragma_table_xinfo(?) order by name`,
    ),
    references: read(
      `select "from" || ' to ' || "table" || '.' || ifnull("to", 'its key') || ' ' || lower(on_delete) || ' ' || lower(on_update)
       from pragma_foreign_key_list(?) order by "from", "table"`,
    ),
    unique: read(
      `select (select group_concat(name) from (select name from pragma_index_info(list.name) order by name)) || iif(partial, ' partly', '')
       from pragma_index_list(?) list where "unique" and origin <> 'pk' order by 1`,
    ),
  };
}
