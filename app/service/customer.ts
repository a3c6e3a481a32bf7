import { type Static, Type } from "typebox";

import type { CustomersTable } from "./tables.ts";

/** A customer as the API shows it; `createdAt` is ISO 8601 in UTC. */
export const Customer = Type.Object(
  { id: Type.String(), name: Type.String(), email: Type.String(), createdAt: Type.String() },
  { additionalProperties: false },
);
export type Customer = Static<typeof Customer>;

/** Turns a stored row into what the API shows. */
export function toCustomer(row: CustomersTable): Customer {
  return { id: row.id, name: row.name, email: row.email, createdAt: row.created_at };
}
