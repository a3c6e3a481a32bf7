import Fastify from "fastify";

import type { Job } from "./background/job.ts";
import { Schedule } from "./background/schedule.ts";
import { type Command, indexCommands } from "./database/command.ts";
import { assertNumbered, type Migration } from "./database/migration.ts";
import { indexHandlers, type OutboxHandler } from "./database/outbox.ts";
import { indexReports, type Report } from "./database/report.ts";
import type { DrillSubject } from "./drill-subject.ts";
import { addProductRoutes, neverAsked, type ProductRoutes } from "./http/product-routes.ts";

/** All that the kit knows of a product. `app/service/product.ts` exports the one that is served. */
export type Product = ProductRoutes & {
  commands: readonly Command[];
  migrations: readonly Migration[];
  /** The handlers of the side effects that commands send. */
  outbox: readonly OutboxHandler[];
  /** Readings that may take seconds. */
  reports?: readonly Report[];
  /** What runs on a schedule. */
  jobs: readonly Job[];
  drill: DrillSubject;
};

/**
 * Finds out, before anything is written, why a product cannot be served: a part is missing, two commands (handlers,
 * jobs) have one name, a name begins with "_", migrations have a gap, a job has a wrong schedule, a route cannot be
 * added. Null when it can be served.
 */
export function findProductFault(product: Product): string | null {
  try {
    for (const part of parts) {
      if (product[part] === undefined) throw new Error(`the product has no ${part}`);
    }
    indexCommands(assertParts("command", product.commands, ["run"]));
    indexHandlers(assertParts("outbox handler", product.outbox, ["perform"]));
    indexReports(assertParts("report", product.reports ?? [], ["read"]));
    assertJobs(assertParts("job", product.jobs, ["schedule", "run"]));
    assertNumbered(product.migrations);
    addProductRoutes(Fastify({ logger: false }), product, neverAsked);
    return null;
  } catch (error) {
    return `app/service/product.ts cannot be served: ${error instanceof Error ? error.message : String(error)}`;
  }
}

// The compiler demands them all, but the release is bundled without type checks.
const parts = [
  "commands",
  "migrations",
  "outbox",
  "jobs",
  "addRoutes",
  "openPaths",
  "drill",
] as const satisfies (keyof Product)[];

/** Names that begin with "_" are the kit's own, of commands and of tables. */
function assertParts<Part extends { name: string }>(
  kind: string,
  list: readonly Part[],
  needed: readonly (keyof Part & string)[],
): readonly Part[] {
  for (const part of list) {
    if (typeof part.name !== "string" || part.name === "") throw new Error(`one ${kind} of the product has no name`);
    for (const field of needed)
      if (part[field] === undefined) throw new Error(`the ${kind} "${part.name}" has no ${field}`);
    if (part.name.startsWith("_"))
      throw new Error(`the ${kind} "${part.name}" has a name that begins with "_", as the kit's own do; rename it`);
  }
  return list;
}

/** Checks names and schedules. The database stores under the name when a job ran last. */
function assertJobs(jobs: readonly Job[]): void {
  const names = new Set<string>();
  for (const job of jobs) {
    if (names.has(job.name)) throw new Error(`two jobs are named "${job.name}"; give each its own name`);
    names.add(job.name);
    void new Schedule(job);
  }
}
