import { createCustomer } from "./create-customer.ts";
import { createInvoice } from "./create-invoice.ts";
import { payInvoice } from "./pay-invoice.ts";

/**
 * Everything that the writer can be asked to do, by name. A renamed command no longer answers its old Idempotency-Keys.
 */
export const commands = {
  "create-customer": createCustomer,
  "create-invoice": createInvoice,
  "pay-invoice": payInvoice,
};
