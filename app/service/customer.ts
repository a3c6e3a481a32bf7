import type { CustomersTable } from "./tables.ts";

/** A customer as the API shows it; `createdAt` is ISO 8601 in UTC. */
export type Customer = { id: string; name: string; email: string; createdAt: string };

/** Turns a stored row into what the API shows. */
export function toCustomer(row: CustomersTable): Customer {
  return { id: row.id, name: row.name, email: row.email, createdAt: row.created_at };
}
