import { Type } from "typebox";

import type { RouteContext, Server } from "../http/product-routes.ts";
import { pageQuery, readPage, found, IdParams } from "../http/reads.ts";
import { createCustomer } from "./create-customer.ts";
import { CustomerInput } from "./customer-input.ts";
import { listCustomers, readCustomer } from "./queries.ts";

const ListQuery = Type.Object(pageQuery, { additionalProperties: false });

/** Adds POST /customers, GET /customers and GET /customers/:id. */
export function addCustomerRoutes(server: Server, { reader, answerWrite }: RouteContext): void {
  server.post("/customers", { schema: { body: CustomerInput } }, (request, reply) =>
    answerWrite(request, reply, { command: createCustomer, input: request.body, status: 201 }),
  );

  server.get("/customers", { schema: { querystring: ListQuery } }, async ({ query }) =>
    readPage(reader, { list: "customers", query, select: listCustomers }),
  );

  server.get("/customers/:id", { schema: { params: IdParams } }, async ({ params: { id } }) =>
    found(reader.read(readCustomer(id)), `customer ${id}`),
  );
}
