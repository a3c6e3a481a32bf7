import { defineCommand } from "../database/command.ts";
import { query } from "../database/transaction.ts";
import type { Transaction } from "../database/transaction.ts";
import { CommandRejected } from "../database/write-outcome.ts";
import type { Invoice } from "./invoice.ts";
import { readInvoice } from "./queries.ts";
import { tables } from "./tables.ts";
import { noticePayment } from "./webhooks.ts";

/**
 * Marks an open invoice as paid, and notifies the webhooks. Throws CommandRejected `not-found` (404), `already-paid`
 * (409).
 */
export const payInvoice = defineCommand(
  "pay-invoice",
  function* ({ invoiceId }: { invoiceId: string }, { now, send }): Transaction<Invoice> {
    const paid = yield* query(
      tables
        .updateTable("invoices")
        .set({ status: "paid", paid_at: now.toISOString() })
        .where("id", "=", invoiceId)
        .where("status", "=", "open")
        .returning("id"),
    );
    const invoice = yield* readInvoice(invoiceId);
    if (invoice === undefined) throw new CommandRejected("not-found", 404, `There is no invoice ${invoiceId}.`);
    if (paid.length === 0) throw new CommandRejected("already-paid", 409, `Invoice ${invoiceId} is paid already.`);
    yield* noticePayment(invoice, send);
    return invoice;
  },
);
