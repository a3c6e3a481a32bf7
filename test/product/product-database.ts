import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type Database from "better-sqlite3";

import { type Command, makeCommandContext } from "../../app/database/command.ts";
import { applyMigrations } from "../../app/database/migrate.ts";
import { openDatabase } from "../../app/database/open-database.ts";
import { runTransaction } from "../../app/database/transaction.ts";
import type { Transaction } from "../../app/database/transaction.ts";
import { product } from "../../app/service/product.ts";

/** A real database file with the schema of the product in app/service. Commands run without the writer thread. */
export type ProductDatabase = Disposable & {
  db: Database.Database;
  run: <Result>(transaction: Transaction<Result>) => Result;
  /** Runs a command as the writer does. */
  execute: <Input, Result>(command: Command<Input, Result>, input: Input) => Result;
};

export function openProductDatabase(): ProductDatabase {
  const directory = mkdtempSync(join(tmpdir(), "lifeboat-service-"));
  const db = openDatabase(join(directory, "app.db"), "writer");
  applyMigrations(db, product.migrations);
  function dispose(): void {
    db.close();
    rmSync(directory, { recursive: true });
  }
  return {
    db,
    run: (transaction) => runTransaction(db, transaction),
    execute: ({ run }, input) => runTransaction(db, run(input, makeCommandContext(Date.now()))),
    [Symbol.dispose]: dispose,
  };
}
