import { defineCommand } from "../database/command.ts";
import { compileOnce } from "../database/sql.ts";
import { query } from "../database/transaction.ts";
import type { Transaction } from "../database/transaction.ts";
import { CommandRejected } from "../database/write-outcome.ts";
import type { CustomerInput } from "./customer-input.ts";
import { toCustomer } from "./customer.ts";
import type { Customer } from "./customer.ts";
import { tables } from "./tables.ts";

/** Stores a customer. Throws CommandRejected `conflict` (409) when the email is taken. */
export const createCustomer = defineCommand(
  "create-customer",
  function* ({ name, email }: CustomerInput, { now, nextId }): Transaction<Customer> {
    const row = { id: yield* nextId("customers"), name, email, created_at: now.toISOString() };
    const stored = yield* query(insertCustomer(row.id, name, email, row.created_at));
    if (stored.length === 0) throw new CommandRejected("conflict", 409, "A customer with this email exists already.");
    return toCustomer(row);
  },
);

const insertCustomer = compileOnce((id: string, name: string, email: string, createdAt: string) =>
  tables
    .insertInto("customers")
    .values({ id, name, email, created_at: createdAt })
    .onConflict((conflict) => conflict.column("email").doNothing())
    .returning("id"),
);
