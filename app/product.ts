import { type Command, indexCommands } from "./database/command.ts";
import type { Migration } from "./database/migration.ts";
import type { DrillSubject } from "./drill-subject.ts";
import type { ProductRoutes } from "./http/product-routes.ts";

/** All that the kit knows of a product. */
export type Product = ProductRoutes & {
  commands: readonly Command[];
  migrations: readonly Migration[];
  drill: DrillSubject;
};

/** Checks what is wrong before anything starts. Throws Error with what to change in the product. */
export function defineProduct(product: Product): Product {
  indexCommands(product.commands);
  return product;
}
