import { sqlBuilder } from "../database/sql.ts";

export type CustomersTable = { id: string; name: string; email: string; created_at: string };

export type InvoicesTable = {
  id: string;
  customer_id: string;
  reference: string;
  currency: string;
  total_cents: number;
  status: "open" | "paid";
  created_at: string;
  paid_at: string | null;
};

export type InvoiceLinesTable = {
  invoice_id: string;
  position: number;
  description: string;
  quantity: number;
  unit_cents: number;
};

/** The receivers of payment notices. */
type WebhooksTable = { id: string; url: string };

/** The number of open and of paid invoices at the end of a day. The id is the day. */
type DailyCountsTable = { id: string; open: number; paid: number };
export type AttachmentsTable = {
  id: string;
  invoice_id: string;
  /** The file's key in the bucket. */
  file: string;
  content_type: string;
  bytes: number;
  sha256: string;
  created_at: string;
};

/** The product's tables: every statement of the service starts here, for example `tables.selectFrom("customers")`. */
export const tables = sqlBuilder<{
  customers: CustomersTable;
  invoices: InvoicesTable;
  invoice_lines: InvoiceLinesTable;
  webhooks: WebhooksTable;
  daily_counts: DailyCountsTable;
  attachments: AttachmentsTable;
}>();
