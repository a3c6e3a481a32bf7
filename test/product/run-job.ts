import type Database from "better-sqlite3";

import type { Job } from "../../app/background/job.ts";
import { type Command, indexCommands, makeCommandContext } from "../../app/database/command.ts";
import { indexReports } from "../../app/database/report.ts";
import { runTransaction } from "../../app/database/transaction.ts";
import type { Product } from "../../app/product.ts";
import { type Logged, recordLog } from "../recorded-log.ts";

type JobTest = {
  /** A database with the product's schema. */
  db: Database.Database;
  product: Pick<Product, "commands" | "outbox" | "reports">;
  /** The time of the schedule that the run is for. */
  dueAt: Date;
  /** Aborted in the middle of the run by a test that wants to see what a stop does. */
  signal?: AbortSignal;
};

/**
 * Runs a job once, for the tests of a product: now, whatever its schedule says. Its commands run as the writer runs
 * them, so one that the product does not list fails. Returns what the job logged; throws what it throws.
 */
export async function runJob(job: Job, { db, product, dueAt, signal }: JobTest): Promise<Logged[]> {
  const commands = indexCommands(product.commands);
  const outbox = { handlers: new Set(product.outbox.map(({ name }) => name)), onSend: () => undefined };
  const { log, logged } = recordLog();
  const never = new AbortController().signal;
  await job.run({
    dueAt,
    reader: { read: (reading) => runTransaction(db, reading) },
    report: async ({ name, read }, input) => {
      if (!indexReports(product.reports ?? []).has(name))
        throw new Error(`no such report as "${name}"; add it to the product's reports`);
      return JSON.parse(JSON.stringify(runTransaction(db, read(input)) ?? null));
    },
    execute: async <Input, Result>({ name }: Command<Input, Result>, input: Input): Promise<Result> => {
      signal?.throwIfAborted();
      const command = commands.get(name);
      if (command === undefined) throw new Error(`no such command as "${name}"; add it to the product's commands`);
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the input of this very command
      const result = runTransaction(db, command.run(input as never, makeCommandContext(Date.now(), outbox)));
      // As it comes from the writer's thread.
      return JSON.parse(JSON.stringify(result ?? null));
    },
    signal: signal ?? never,
    log,
  });
  return logged;
}
