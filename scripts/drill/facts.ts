import { createHash } from "node:crypto";

import type Database from "better-sqlite3";

import { openDatabase } from "../../app/database/open-database.ts";
import type { DrillContent, SelectRows } from "../../app/drill-subject.ts";
import { product } from "../../app/service/product.ts";

export type Durability = "commit" | "disk" | "bucket";

/** One thing that was written or found: its unique name, and a SHA-256 of all that the client chose. */
export type Fact = Readonly<{ kind: string; key: string; sha256: string }>;

/** A fact in a database, with the id that the server gave it. */
export type FoundFact = Fact & Readonly<{ id: string }>;

/** What a fact is called, and no other. */
export function nameOf({ kind, key }: Pick<Fact, "kind" | "key">): string {
  return `${kind} ${key}`;
}

/** Makes the fact of what was written or found. The drill holds 200,000 of them, so it keeps no content. */
export function toFact({ kind, key, content }: DrillContent): Fact {
  return { kind, key, sha256: createHash("sha256").update(JSON.stringify(content)).digest("base64") };
}

/**
 * Reads every fact in a database file, row by row, in one read transaction; the file may be in use. Throws when the
 * file cannot be read or holds what the product's requests cannot write.
 */
export function* readFacts(databasePath: string): Generator<FoundFact> {
  const db = openDatabase(databasePath, "reader");
  try {
    db.exec("BEGIN");
    for (const row of product.drill.readRows(selectFrom(db))) yield { ...toFact(row), id: row.id };
  } finally {
    db.close();
  }
}

// Each statement is compiled once: a product may select the parts of every row.
function selectFrom(db: Database.Database): SelectRows {
  const statements = new Map<string, Database.Statement>();
  return function* <Row>(sql: string, ...parameters: readonly unknown[]) {
    const statement = statements.get(sql) ?? db.prepare(sql);
    statements.set(sql, statement);
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the product knows the rows of its own select
    yield* statement.iterate(...parameters) as Iterable<Row>;
  };
}
