import { addEventStream } from "../http/events.ts";
import type { Product } from "../product.ts";
import { addAttachmentRoutes, attachFile } from "./attachments.ts";
import { createCustomer } from "./create-customer.ts";
import { createInvoice } from "./create-invoice.ts";
import { addCustomerRoutes } from "./customer-routes.ts";
import { addDailyCountRoutes, invoiceCounts, nightlyCount, storeCount } from "./daily-counts.ts";
import { BillingAuthor } from "./drill-author.ts";
import { deliveries } from "./drill-deliveries.ts";
import { readDrillRows } from "./drill-rows.ts";
import { toInvoiceEvent } from "./invoice-events.ts";
import { addInvoiceRoutes } from "./invoice-routes.ts";
import { migrations } from "./migrations.ts";
import { payInvoice } from "./pay-invoice.ts";
import { addRevenueRoute, revenueByMonth } from "./revenue.ts";
import { addWebhook, addWebhookRoutes, postWebhook } from "./webhooks.ts";

/** The product of this repository: a small billing service. */
export const product: Product = {
  commands: [createCustomer, createInvoice, payInvoice, addWebhook, storeCount, attachFile],
  migrations,
  addRoutes: (server, context) => {
    addCustomerRoutes(server, context);
    addInvoiceRoutes(server, context);
    addWebhookRoutes(server, context);
    addDailyCountRoutes(server, context);
    addRevenueRoute(server, context);
    addAttachmentRoutes(server, context);
    addEventStream(server, "/events", { ...context, toEvent: toInvoiceEvent });
  },
  openPaths: [],
  pages: { path: "/app/", folder: new URL("pages/", import.meta.url) },
  sessions: true,
  outbox: [postWebhook],
  reports: [revenueByMonth, invoiceCounts],
  jobs: [nightlyCount],
  drill: { startAuthor: (options) => new BillingAuthor(options), readRows: readDrillRows, deliveries },
};
