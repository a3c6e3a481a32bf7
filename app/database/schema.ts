import type Database from "better-sqlite3";

export type SchemaObject = { type: "table" | "index" | "trigger" | "view"; name: string; tableName: string };
export type Column = { table: string; name: string; definition: string; isRequired: number };
type ForeignKey = { child: string; parent: string };

/** The objects of the schema, without SQLite's own. */
export function readObjects(db: Database.Database): SchemaObject[] {
  return db.prepare<[], SchemaObject>(objectsText).all();
}

/** The columns of every table, in order. */
export function readColumns(db: Database.Database): Column[] {
  return db.prepare<[], Column>(columnsText).all();
}

/** The SQL that created a table, as SQLite keeps it. */
export function readDefinition(db: Database.Database, table: string): string {
  const text = "select sql from sqlite_schema where type = 'table' and name = ?";
  return db.prepare<[string], string>(text).pluck().get(table) ?? "";
}

/**
 * Describes what is broken in the schema: foreign keys that refer to a missing table or to columns that are not unique,
 * views and triggers that no longer compile. Reads no rows. Runs inside the open transaction and leaves no trace.
 */
export function findSchemaFaults(db: Database.Database): string[] {
  const dangling = db.prepare<[], ForeignKey>(danglingText).all();
  return [
    ...dangling.map(({ child, parent }) => `table ${child} refers to table ${parent}, which is not there`),
    ...complain(() => db.prepare("pragma foreign_key_check")),
    ...complain(() => compileSchema(db)),
  ];
}

/** The foreign keys that refer to a missing table. */
export function findDangling(db: Database.Database): ForeignKey[] {
  return db.prepare<[], ForeignKey>(danglingText).all();
}

/** Checks every row with a foreign key, and describes the first ones that refer to a missing row. */
export function findViolations(db: Database.Database): { count: number; examples: string[] } {
  let count = 0;
  const examples: string[] = [];
  for (const { table, rowid, parent } of db.prepare<[], Violation>("pragma foreign_key_check").iterate()) {
    count += 1;
    if (count <= exampleLimit) examples.push(`${table} row ${rowid ?? "without rowid"} refers to no row of ${parent}`);
  }
  return { count, examples };
}

type Violation = { table: string; rowid: number | null; parent: string };
const exampleLimit = 10;

const objectsText = `select type, name, tbl_name as tableName from sqlite_schema where name not like 'sqlite\\_%' escape '\\'`;
const columnsText = `select m.name as "table", c.name as name,
  c.name || ' ' || c.type || ' ' || c."notnull" || ' ' || coalesce(c.dflt_value, 'null') || ' ' || c.pk || ' ' || c.hidden
    as definition,
  c."notnull" and (c.dflt_value is null or lower(c.dflt_value) = 'null') as isRequired
  from sqlite_schema m join pragma_table_xinfo(m.name) c where m.type = 'table' order by m.name, c.cid`;
const danglingText = `select distinct m.name as child, f."table" as parent
  from sqlite_schema m join pragma_foreign_key_list(m.name) f
  where m.type = 'table' and lower(f."table") not in (select lower(name) from sqlite_schema where type = 'table')`;

// A rename makes SQLite compile all views and triggers, and report the one that does not compile.
function compileSchema(db: Database.Database): void {
  db.exec("savepoint look");
  try {
    db.exec("create table _lifeboat_look (id); alter table _lifeboat_look rename to _lifeboat_looked");
  } finally {
    db.exec("rollback to look; release look");
  }
}

function complain(look: () => unknown): string[] {
  try {
    look();
    return [];
  } catch (error) {
    return [error instanceof Error ? error.message : String(error)];
  }
}
