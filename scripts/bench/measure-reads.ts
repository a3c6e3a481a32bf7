import { join } from "node:path";

import type Database from "better-sqlite3";

import { applyMigrations } from "../../app/database/migrate.ts";
import { openDatabase } from "../../app/database/open-database.ts";
import { openReader } from "../../app/database/reader.ts";
import { documents, readDocument } from "./documents.ts";
import { type Variant, measureLoop } from "./interleave.ts";

const rowCount = 100_000;

/**
 * Point reads by primary key on one thread: through the Reader and a generator, against a prepared statement by hand.
 */
export function listReadVariants(directory: string, roundMs: number): Variant[] & Disposable {
  const path = join(directory, "reads.db");
  fillDocuments(path);
  const byHand = openDatabase(path, "reader");
  const statement = byHand.prepare("select id, body from documents where id = ?");
  const readInTransaction = byHand.transaction((id: string) => statement.get(id));
  const reader = openReader(path);
  const variants: Variant[] = [
    {
      name: "prepared by hand",
      measure: () => measureLoop(roundMs, (count) => demandRow(statement.get(nameDocument(count)))),
    },
    {
      name: "by hand in a transaction",
      measure: () => measureLoop(roundMs, (count) => demandRow(readInTransaction(nameDocument(count)))),
    },
    {
      name: "Reader, generator",
      measure: () => measureLoop(roundMs, (count) => demandRow(reader.read(readDocument(nameDocument(count))))),
    },
  ];
  const close = (): void => {
    reader.close();
    byHand.close();
  };
  return Object.assign(variants, { [Symbol.dispose]: close });
}

function fillDocuments(path: string): void {
  const db = openDatabase(path, "writer");
  applyMigrations(db, documents.migrations);
  insertDocuments(db);
  db.close();
}

function insertDocuments(db: Database.Database): void {
  const insert = db.prepare("insert into documents (id, body) values (?, ?)");
  db.transaction(() => {
    for (let count = 0; count < rowCount; count++)
      insert.run(nameDocument(count), `The words of document ${count}, which fit into one line of text`);
  })();
}

// A stride that shares no factor with the count visits every row, in no order that a cache likes.
function nameDocument(count: number): string {
  return `document-${(count * 7919) % rowCount}`;
}

function demandRow(row: unknown): void {
  if (row === undefined) throw new Error("a document that was stored is not found");
}
