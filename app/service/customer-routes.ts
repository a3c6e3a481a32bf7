import { Type } from "typebox";

import type { RouteContext, Server } from "../http/product-routes.ts";
import { pageQuery, readPage, found, IdParams, pageOf } from "../http/reads.ts";
import { createCustomer } from "./create-customer.ts";
import { CustomerInput } from "./customer-input.ts";
import { Customer } from "./customer.ts";
import { listCustomers, readCustomer } from "./queries.ts";

const ListQuery = Type.Object(pageQuery, { additionalProperties: false });

/** Adds POST /customers, GET /customers and GET /customers/:id. */
export function addCustomerRoutes(server: Server, { reader, answerWrite }: RouteContext): void {
  const creation = { schema: { body: CustomerInput, response: { 201: Customer } } };
  server.post("/customers", creation, (request, reply) =>
    answerWrite(request, reply, { command: createCustomer, input: request.body, status: 201 }),
  );

  const list = { schema: { querystring: ListQuery, response: { 200: pageOf(Customer) } } };
  server.get("/customers", list, async ({ query }) =>
    readPage(reader, { list: "customers", query, select: listCustomers }),
  );

  const one = { schema: { params: IdParams, response: { 200: Customer } } };
  server.get("/customers/:id", one, async ({ params: { id } }) =>
    found(reader.read(readCustomer(id)), `customer ${id}`),
  );
}
