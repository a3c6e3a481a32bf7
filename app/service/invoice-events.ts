import { Value } from "typebox/value";

import type { Commit } from "../database/commit-feed.ts";
import type { StreamEvent } from "../http/events.ts";
import { createInvoice } from "./create-invoice.ts";
import { Invoice } from "./invoice.ts";
import { payInvoice } from "./pay-invoice.ts";

/** Makes the event of a changed invoice: its id and status. A page that shows more reads the invoice. */
export function toInvoiceEvent(commit: Commit): StreamEvent | null {
  if (commit.command !== createInvoice.name && commit.command !== payInvoice.name) return null;
  const { id, status } = Value.Parse(Invoice, commit.result);
  return { event: "invoice", data: { id, status } };
}
