import { sql } from "kysely";

import type { Migration } from "../database/migration.ts";
import { query } from "../database/transaction.ts";
import type { Transaction } from "../database/transaction.ts";
import { tables } from "./tables.ts";

/**
 * The product's schema, step by step. A step that has run anywhere is never edited: add another one. Declare it
 * `additive` where you can, so that the previous release can still serve (ADR 18).
 */
export const migrations: readonly Migration[] = [
  { number: 1, name: "customers", kind: "additive", up: createCustomers },
  { number: 2, name: "invoices", kind: "additive", up: createInvoices },
  { number: 3, name: "webhooks and daily counts", kind: "additive", up: createWebhooks },
  { number: 4, name: "attachments", kind: "additive", up: createAttachments },
];

function* createCustomers(): Transaction<void> {
  yield* query(
    tables.schema
      .createTable("customers")
      .addColumn("id", "text", (column) => column.primaryKey().notNull())
      .addColumn("name", "text", (column) => column.notNull())
      .addColumn("email", "text", (column) => column.notNull().unique())
      .addColumn("created_at", "text", (column) => column.notNull()),
  );
}

function* createInvoices(): Transaction<void> {
  yield* query(
    tables.schema
      .createTable("invoices")
      .addColumn("id", "text", (column) => column.primaryKey().notNull())
      .addColumn("customer_id", "text", (column) => column.notNull().references("customers.id"))
      .addColumn("reference", "text", (column) => column.notNull().unique())
      .addColumn("currency", "char(3)", (column) => column.notNull())
      .addColumn("total_cents", "bigint", (column) => column.notNull().check(sql`total_cents >= 0`))
      .addColumn("status", "text", (column) => column.notNull().check(sql`status in ('open', 'paid')`))
      .addColumn("created_at", "text", (column) => column.notNull())
      .addColumn("paid_at", "text")
      .addCheckConstraint("invoices_paid_at", sql`(status = 'paid') = (paid_at is not null)`),
  );
  yield* query(
    tables.schema
      .createTable("invoice_lines")
      .addColumn("invoice_id", "text", (column) => column.notNull().references("invoices.id"))
      .addColumn("position", "integer", (column) => column.notNull())
      .addColumn("description", "text", (column) => column.notNull())
      .addColumn("quantity", "bigint", (column) => column.notNull().check(sql`quantity >= 1`))
      .addColumn("unit_cents", "bigint", (column) => column.notNull().check(sql`unit_cents >= 0`))
      .addPrimaryKeyConstraint("invoice_lines_primary_key", ["invoice_id", "position"]),
  );
  yield* query(tables.schema.createIndex("invoices_of_customer").on("invoices").columns(["customer_id", "id"]));
}

function* createWebhooks(): Transaction<void> {
  yield* query(
    tables.schema
      .createTable("webhooks")
      .addColumn("id", "text", (column) => column.primaryKey().notNull())
      .addColumn("url", "text", (column) => column.notNull().unique()),
  );
  yield* query(
    tables.schema
      .createTable("daily_counts")
      .addColumn("id", "text", (column) => column.primaryKey().notNull())
      .addColumn("open", "integer", (column) => column.notNull())
      .addColumn("paid", "integer", (column) => column.notNull()),
  );
}

function* createAttachments(): Transaction<void> {
  yield* query(
    tables.schema
      .createTable("attachments")
      .addColumn("id", "text", (column) => column.primaryKey().notNull())
      .addColumn("invoice_id", "text", (column) => column.notNull().references("invoices.id"))
      .addColumn("file", "text", (column) => column.notNull().unique())
      .addColumn("content_type", "text", (column) => column.notNull())
      .addColumn("bytes", "bigint", (column) => column.notNull().check(sql`bytes >= 0`))
      .addColumn("sha256", "text", (column) => column.notNull())
      .addColumn("created_at", "text", (column) => column.notNull()),
  );
  yield* query(tables.schema.createIndex("attachments_of_invoice").on("attachments").columns(["invoice_id", "id"]));
}
