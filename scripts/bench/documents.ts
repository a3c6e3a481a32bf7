import { sql } from "kysely";

import { defineCommand } from "../../app/database/command.ts";
import type { Migration } from "../../app/database/migration.ts";
import { sqlBuilder } from "../../app/database/sql.ts";
import { query, type Reading, type Transaction } from "../../app/database/transaction.ts";

type Document = { id: string; body: string };

const tables = sqlBuilder<{ documents: Document }>();

/** The bench measures the kit, so it has its own table and needs no product. */
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

/** A point read by primary key. */
export function* readDocument(id: string): Reading<Document | undefined> {
  const [document] = yield* query(tables.selectFrom("documents").selectAll().where("id", "=", id));
  return document;
}
