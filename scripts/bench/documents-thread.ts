import { sql } from "kysely";

import { defineCommand } from "../../app/database/command.ts";
import { serveWriter } from "../../app/database/serve-writer.ts";
import { sqlBuilder } from "../../app/database/sql.ts";
import { query, type Transaction } from "../../app/database/transaction.ts";

const tables = sqlBuilder<{ documents: { id: string; body: string } }>();

/** A writer whose rows are large, so that few writes make much WAL. */
serveWriter({
  commands: [defineCommand("add-document", addDocument)],
  migrations: [{ number: 1, name: "documents", up: createDocuments }],
});

function* createDocuments(): Transaction<void> {
  yield sql`create table documents (id text primary key not null, body text not null) strict`.compile(tables);
}

function* addDocument(document: { id: string; body: string }): Transaction<void> {
  yield* query(tables.insertInto("documents").values(document));
}
