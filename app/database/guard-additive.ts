import type Database from "better-sqlite3";

import { MigrationRefused } from "./migration.ts";
import { type Column, readColumns, readDefinition, readObjects, type SchemaObject } from "./schema.ts";

/**
 * Guards an additive step. Temporary triggers make SQLite itself refuse changes to old rows. The returned function ends
 * the guard. It throws MigrationRefused when the schema shows that the previous release could no longer write as
 * before.
 */
export function guardAdditive(db: Database.Database): () => void {
  const objects = readObjects(db);
  const columns = readColumns(db);
  const definitions = new Map(columns.map(({ table }) => [table, readDefinition(db, table)]));
  const triggers = objects.filter(({ type, name }) => type === "table" && isOrdinary(db, name) && !isOurs(name));
  triggers.forEach(({ name }, index) => db.exec(renderTriggers(name, index, columns)));
  // Without this, REPLACE deletes rows without firing the triggers.
  db.pragma("recursive_triggers = ON");
  return () => {
    triggers.forEach((_, index) =>
      db.exec(`drop trigger if exists temp._keep_${index}; drop trigger if exists temp._hold_${index}`),
    );
    db.pragma("recursive_triggers = OFF");
    const faults = [
      ...findLosses(objects, readObjects(db)),
      ...findChanges(columns, readColumns(db)),
      ...findChecks(db, definitions),
      ...findBarriers(db, objects),
    ];
    if (faults.length === 0) return;
    throw new MigrationRefused(`it is declared additive, but ${faults.join("; ")}; leave "additive" out`);
  };
}

function renderTriggers(table: string, index: number, columns: readonly Column[]): string {
  const names = columns.filter((column) => column.table === table).map(({ name }) => quote(name));
  const refuse = (deed: string) =>
    `select raise(abort, 'it is declared additive, but ${deed} of table ${table.replaceAll("'", "''")}; leave "additive" out')`;
  return `create temp trigger _keep_${index} before delete on main.${quote(table)} begin ${refuse("deletes rows")}; end;
    create temp trigger _hold_${index} before update of ${names.join(", ")} on main.${quote(table)}
      begin ${refuse("changes a column")}; end;`;
}

function findLosses(before: readonly SchemaObject[], after: readonly SchemaObject[]): string[] {
  const left = new Set(after.map(({ type, name }) => `${type} ${name}`));
  return before
    .map(({ type, name }) => `${type} ${name}`)
    .filter((title) => !left.has(title))
    .map((title) => `${title} is gone`);
}

function findChanges(before: readonly Column[], after: readonly Column[]): string[] {
  const columnsAfter = Map.groupBy(after, ({ table }) => table);
  return [...Map.groupBy(before, ({ table }) => table)].flatMap(([table, old]) => {
    const now = columnsAfter.get(table) ?? [];
    const kept = old.every(({ definition }, index) => now[index]?.definition === definition);
    if (!kept) return [`columns of table ${table} are other ones`];
    const required = now.slice(old.length).filter(({ isRequired }) => isRequired === 1);
    return required.map(({ name }) => `column ${table}.${name} is NOT NULL without a default`);
  });
}

/** A check of a new column can refer to any column, so it could reject what the previous release writes. */
function findChecks(db: Database.Database, before: ReadonlyMap<string, string>): string[] {
  return [...before]
    .filter(([table, definition]) => /\bcheck\b/i.test(readInsertion(definition, readDefinition(db, table))))
    .map(([table]) => `table ${table} has a new check`);
}

/** The part of `after` between the prefix and the suffix that it shares with `before`. */
function readInsertion(before: string, after: string): string {
  let start = 0;
  while (start < before.length && before[start] === after[start]) start += 1;
  const tail = before.length - start;
  return after.slice(start, after.length - tail);
}

/** Rules added to an old table that writes of the previous release could violate. */
function findBarriers(db: Database.Database, before: readonly SchemaObject[]): string[] {
  const known = new Set(before.map(({ name }) => name));
  return readObjects(db).flatMap(({ type, name, tableName }) => {
    if (known.has(name) || !known.has(tableName)) return [];
    if (type === "trigger") return [`table ${tableName} has a new trigger ${name}`];
    if (type === "index" && isStrict(db, tableName, name))
      return [`table ${tableName} has a new rule in index ${name}`];
    return [];
  });
}

// An expression can fail, so such an index can reject a write as a unique one does.
function isStrict(db: Database.Database, table: string, index: string): boolean {
  const unique = `select 1 from pragma_index_list(?) where name = ? and "unique"`;
  const expression = "select 1 from pragma_index_xinfo(?) where cid = -2";
  return db.prepare(unique).get(table, index) !== undefined || db.prepare(expression).get(index) !== undefined;
}

// Virtual tables cannot have triggers, and their shadow tables belong to them.
function isOrdinary(db: Database.Database, table: string): boolean {
  const text = "select type from pragma_table_list where schema = 'main' and name = ?";
  return db.prepare<[string], string>(text).pluck().get(table) === "table";
}

function isOurs(table: string): boolean {
  return table.startsWith("_");
}

function quote(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
