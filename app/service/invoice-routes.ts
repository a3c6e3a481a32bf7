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

// A payment says nothing beyond its URL: no body (Fastify validates null then), or an empty object.
const PaymentInput = Type.Union([Type.Null(), Type.Object({}, { additionalProperties: false })]);

// Five hundred lines with long descriptions; and nothing but a pair of braces.
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

  // Money that came in must not go with the disk.
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
