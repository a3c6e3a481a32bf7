import { Type } from "typebox";

import type { RouteContext, Server } from "../http/product-routes.ts";
import { pageQuery, readPage, found, IdParams, pageOf } from "../http/reads.ts";
import { createInvoice } from "./create-invoice.ts";
import { InvoiceInput } from "./invoice-input.ts";
import { Invoice, InvoiceSummary } from "./invoice.ts";
import { payInvoice } from "./pay-invoice.ts";
import { listInvoices, readInvoice } from "./queries.ts";

const ListQuery = Type.Object(
  { ...pageQuery, customerId: Type.Optional(Type.String()) },
  { additionalProperties: false },
);

// A payment needs only its URL, so the body is missing (Fastify then validates null) or an empty object.
const PaymentInput = Type.Union([Type.Null(), Type.Object({}, { additionalProperties: false })]);

// An invoice has up to 500 lines with long descriptions. A payment has at most a pair of braces.
const invoiceBytes = 1024 * 1024;
const paymentBytes = 1024;

/** Adds POST /invoices, GET /invoices, GET /invoices/:id and POST /invoices/:id/payment. */
export function addInvoiceRoutes(server: Server, { reader, answerWrite }: RouteContext): void {
  const creation = { bodyLimit: invoiceBytes, schema: { body: InvoiceInput, response: { 201: Invoice } } };
  server.post("/invoices", creation, (request, reply) =>
    answerWrite(request, reply, { command: createInvoice, input: request.body, status: 201 }),
  );

  const list = { schema: { querystring: ListQuery, response: { 200: pageOf(InvoiceSummary) } } };
  server.get("/invoices", list, async ({ query }) =>
    readPage(reader, {
      list: "invoices",
      query,
      select: (slice) => listInvoices({ ...slice, customerId: query.customerId }),
    }),
  );

  const one = { schema: { params: IdParams, response: { 200: Invoice } } };
  server.get("/invoices/:id", one, async ({ params: { id } }) => found(reader.read(readInvoice(id)), `invoice ${id}`));

  // A payment must survive the loss of the disk.
  const payment = {
    bodyLimit: paymentBytes,
    schema: { params: IdParams, body: PaymentInput, response: { 200: Invoice } },
  };
  server.post("/invoices/:id/payment", payment, (request, reply) =>
    answerWrite(request, reply, {
      command: payInvoice,
      input: { invoiceId: request.params.id },
      status: 200,
      durability: "bucket",
    }),
  );
}
