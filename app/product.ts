import Fastify from "fastify";

import { type Command, indexCommands } from "./database/command.ts";
import { assertNumbered, type Migration } from "./database/migration.ts";
import type { DrillSubject } from "./drill-subject.ts";
import { addProductRoutes, neverAsked, type ProductRoutes } from "./http/product-routes.ts";

/** All that the kit knows of a product; `app/service/product.ts` exports the one that is served. */
export type Product = ProductRoutes & {
  commands: readonly Command[];
  migrations: readonly Migration[];
  drill: DrillSubject;
};

/**
 * Says before anything is written why a product cannot be served, and never can as it is: a part that is missing, two
 * commands of one name, migrations with a gap, a route that cannot be added. Null when nothing speaks against it.
 */
export function findProductFault(product: Product): string | null {
  try {
    for (const part of parts) {
      if (product[part] === undefined) throw new Error(`the product has no ${part}`);
    }
    indexCommands(product.commands);
    assertNumbered(product.migrations);
    addProductRoutes(Fastify({ logger: false }), product, neverAsked);
    return null;
  } catch (error) {
    return `app/service/product.ts cannot be served: ${error instanceof Error ? error.message : String(error)}`;
  }
}

// The compiler asks for them all, but a product may come without its blessing.
const parts = ["commands", "migrations", "addRoutes", "openPaths", "drill"] as const satisfies (keyof Product)[];
