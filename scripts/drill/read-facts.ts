import type Database from "better-sqlite3";

import { openDatabase } from "../../app/database/open-database.ts";
import { type FoundFact, customerFact, invoiceFact, type LineContent, paymentFact } from "./content.ts";

/**
 * Reads every fact in a database file, row by row, in one read transaction; the file may be in use. Throws when the
 * file cannot be read or holds lines of no invoice.
 */
export function* readFacts(databasePath: string): Generator<FoundFact> {
  const db = openDatabase(databasePath, "reader");
  try {
    db.exec("BEGIN");
    yield* readCustomers(db);
    yield* readInvoices(db);
    assertNoOrphans(db);
  } finally {
    db.close();
  }
}

type CustomerRow = { id: string; name: string; email: string };

function* readCustomers(db: Database.Database): Generator<FoundFact> {
  const rows = db.prepare<[], CustomerRow>("SELECT id, name, email FROM customers NOT INDEXED");
  for (const row of rows.iterate()) yield { ...customerFact(row), id: row.id };
}

type InvoiceRow = {
  id: string;
  customer_id: string;
  reference: string;
  currency: string;
  total_cents: number;
  status: string;
  paid_at: string | null;
};

// NOT INDEXED: the table itself is what is compared, so a damaged index cannot hide a row.
function* readInvoices(db: Database.Database): Generator<FoundFact> {
  const rows = db.prepare<[], InvoiceRow>("SELECT * FROM invoices NOT INDEXED");
  const lines = db.prepare<[string], LineContent>(
    'SELECT description, quantity, unit_cents AS "unitCents" FROM invoice_lines WHERE invoice_id = ? ORDER BY position',
  );
  for (const row of rows.iterate()) {
    const { customer_id: customerId, reference, currency, total_cents: totalCents } = row;
    const content = { customerId, reference, currency, totalCents, lines: lines.all(row.id) };
    yield { ...invoiceFact(content), id: row.id };
    if (row.status !== "open" || row.paid_at !== null) yield { ...paymentFact(reference), id: row.id };
  }
}

function assertNoOrphans(db: Database.Database): void {
  const sql = "SELECT count(*) FROM invoice_lines WHERE invoice_id NOT IN (SELECT id FROM invoices)";
  const orphans = db.prepare<[], number>(sql).pluck().get();
  if (orphans !== 0) throw new Error(`${db.name} holds ${orphans} lines of no invoice: nobody wrote those`);
}
