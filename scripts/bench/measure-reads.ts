import { join } from "node:path";

import type Database from "better-sqlite3";

import { applyMigrations } from "../../app/database/migrate.ts";
import { openDatabase } from "../../app/database/open-database.ts";
import { openReader } from "../../app/database/reader.ts";
import { migrations } from "../../app/service/migrations.ts";
import { readCustomer } from "../../app/service/queries.ts";
import type { Variant } from "./interleave.ts";
import { measureLoop } from "./measure-loop.ts";

const rowCount = 100_000;

/**
 * Point reads by primary key on one thread: through the Reader and a generator, against a prepared statement by hand.
 */
export function listReadVariants(directory: string, roundMs: number): Variant[] & Disposable {
  const path = join(directory, "reads.db");
  fillCustomers(path);
  const byHand = openDatabase(path, "reader");
  const statement = byHand.prepare("select id, name, email, created_at from customers where id = ?");
  const readInTransaction = byHand.transaction((id: string) => statement.get(id));
  const reader = openReader(path);
  const variants: Variant[] = [
    {
      name: "prepared by hand",
      measure: () => measureLoop(roundMs, (count) => demandRow(statement.get(nameCustomer(count)))),
    },
    {
      name: "by hand in a transaction",
      measure: () => measureLoop(roundMs, (count) => demandRow(readInTransaction(nameCustomer(count)))),
    },
    {
      name: "Reader, generator",
      measure: () => measureLoop(roundMs, (count) => demandRow(reader.read(readCustomer(nameCustomer(count))))),
    },
  ];
  const close = (): void => {
    reader.close();
    byHand.close();
  };
  return Object.assign(variants, { [Symbol.dispose]: close });
}

function fillCustomers(path: string): void {
  const db = openDatabase(path, "writer");
  applyMigrations(db, migrations);
  insertCustomers(db);
  db.close();
}

function insertCustomers(db: Database.Database): void {
  const insert = db.prepare(
    "insert into customers (id, name, email, created_at) values (?, ?, ?, '2026-01-01T00:00:00.000Z')",
  );
  db.transaction(() => {
    for (let count = 0; count < rowCount; count++)
      insert.run(nameCustomer(count), `Customer ${count}`, `${count}@example.com`);
  })();
}

// A stride that shares no factor with the count visits every row, in no order that a cache likes.
function nameCustomer(count: number): string {
  return `customer-${(count * 7919) % rowCount}`;
}

function demandRow(row: unknown): void {
  if (row === undefined) throw new Error("a customer that was stored is not found");
}
