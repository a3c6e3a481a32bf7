import { sql } from "kysely";

import { defineCommand } from "../database/command.ts";
import { applyMigrations } from "../database/migrate.ts";
import type { Migration } from "../database/migration.ts";
import { openDatabase } from "../database/open-database.ts";
import { compileOnce, sqlBuilder } from "../database/sql.ts";
import { query, queryAlone, type Reading, type Transaction } from "../database/transaction.ts";

type Document = { id: string; body: string };

const tables = sqlBuilder<{ documents: Document }>();

/** Bench and calibration measure the kit, so they have a table of their own and need no product. */
export const documents = {
  commands: [defineCommand("add-document", addDocument)],
  migrations: [{ number: 1, name: "documents", up: createDocuments }] satisfies Migration[],
};

function* createDocuments(): Transaction<void> {
  yield sql`create table documents (id text primary key not null, body text not null) strict`.compile(tables);
}

function* addDocument(document: Document): Transaction<void> {
  yield* query(tables.insertInto("documents").values(document));
}

const documentById = compileOnce((id: string) => tables.selectFrom("documents").selectAll().where("id", "=", id));

/** A point read by primary key, as the guide tells products to write one that every request needs. */
export function* readDocument(id: string): Reading<Document | undefined> {
  const [document] = yield* queryAlone(documentById(id));
  return document;
}

/** The same, compiled each time and in a transaction. */
export function* readDocumentPlainly(id: string): Reading<Document | undefined> {
  const [document] = yield* query(tables.selectFrom("documents").selectAll().where("id", "=", id));
  return document;
}

/** A read that finds nothing would be fast. Throws when the row is not there. */
export function demandRow(row: unknown): void {
  if (row === undefined) throw new Error("a document that was stored is not found");
}

// Commits that hold all rows at once would need a WAL as large as the database.
const rowsPerCommit = 50_000;

/** Makes a database of documents, with nothing left in its WAL. */
export function fillDocuments(path: string, { rowCount, bodyBytes }: { rowCount: number; bodyBytes: number }): void {
  const db = openDatabase(path, "writer");
  applyMigrations(db, documents.migrations);
  const insert = db.prepare("insert into documents (id, body) values (?, ?)");
  for (let first = 0; first < rowCount; first += rowsPerCommit) {
    const last = Math.min(rowCount, first + rowsPerCommit);
    db.transaction(() => {
      for (let index = first; index < last; index++)
        insert.run(idOf(index), `The words of document ${index} `.padEnd(bodyBytes, "of many "));
    })();
    db.pragma("wal_checkpoint(truncate)");
  }
  db.close();
}

/** A stride without a common factor with the number of rows visits every row, in an order that defeats caches. */
export function nameDocument(count: number, rowCount: number): string {
  return idOf((count * 7919) % rowCount);
}

// Of one length, so that they sort as they were made.
function idOf(index: number): string {
  return `document-${String(index).padStart(9, "0")}`;
}
