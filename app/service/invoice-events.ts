import { Value } from "typebox/value";

import type { Commit } from "../database/commit-feed.ts";
import type { StreamEvent } from "../http/events.ts";
import { createInvoice } from "./create-invoice.ts";
import { Invoice } from "./invoice.ts";
import { payInvoice } from "./pay-invoice.ts";

/** Makes the event of a changed invoice: its id and status. A page that shows more reads the invoice. */
export function toInvoiceEvent({ command, result }: Commit): StreamEvent | null {
  if (command !== createInvoice.name && command !== payInvoice.name) return null;
  const { id, status } = Value.Parse(Invoice, result);
  return { event: "invoice", data: { id, status } };
}
