import { expect } from "vitest";

import type { TestServer } from "../http/test-server.ts";

/** Creates a customer and gives its id. */
export async function createCustomer({ call }: TestServer, email = "ada@example.com"): Promise<string> {
  const { status, body } = await call("POST", "/customers", { body: { name: "Ada", email } });
  expect(status).toBe(201);
  return String(body["id"]);
}

/** A body for POST /invoices that is accepted, with what the test changes. */
export function invoiceBody(customerId: string, changes: Record<string, unknown> = {}): Record<string, unknown> {
  const lines = [{ description: "Hosting", quantity: 3, unitCents: 1999 }];
  return { customerId, reference: "R-1", currency: "EUR", lines, ...changes };
}

/** Creates a customer and an open invoice, and gives the invoice's id. */
export async function createInvoice(server: TestServer): Promise<string> {
  const { status, body } = await server.call("POST", "/invoices", { body: invoiceBody(await createCustomer(server)) });
  expect(status).toBe(201);
  return String(body["id"]);
}
