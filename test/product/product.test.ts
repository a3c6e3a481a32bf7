import { expect, test } from "vitest";

import { findProductFault, type Product } from "../../app/product.ts";
import { pagesProduct } from "./pages.ts";

const [addPage] = pagesProduct.commands;
if (addPage === undefined) throw new Error("the test's product has no command");

test("a product that can be served has no fault", () => {
  expect(findProductFault(pagesProduct)).toBeNull();
});

test.each<[string, Partial<Record<keyof Product, unknown>>, string]>([
  ["without a drill subject", { drill: undefined }, "has no drill"],
  ["without commands", { commands: undefined }, "has no commands"],
  ["with a command named twice", { commands: [addPage, addPage] }, 'two commands are named "add-page"'],
  ["with a gap in its migrations", { migrations: [{ number: 2, name: "later", up: () => [] }] }, "expected 1"],
  ["with a route on a path of the kit's", { addRoutes: addRoute("/ready") }, "/ready, which is the kit's own"],
  [
    "with a route on the document's path",
    { addRoutes: addRoute("/openapi.json") },
    "/openapi.json, which is the kit's",
  ],
  [
    "with the same route twice",
    { addRoutes: addRoute("/twice", 2) },
    "Method 'GET' already declared for route '/twice'",
  ],
  ["with an open path that no route has", { openPaths: ["/page"] }, "names /page, but no route has such a path"],
  ["whose routes read while they are added", { addRoutes: readAtOnce }, "a route asked for data while it was added"],
])("a product %s cannot be served, and is told what to change", (_, changes, words) => {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- as it comes when the compiler was not asked
  const changed = { ...pagesProduct, ...changes } as Product;
  expect(findProductFault(changed)).toContain(words);
});

function addRoute(path: string, times = 1): Product["addRoutes"] {
  return (server) => {
    for (let time = 0; time < times; time += 1) server.get(path, async () => ({}));
  };
}

function readAtOnce(...[, { reader }]: Parameters<Product["addRoutes"]>): void {
  reader.read(emptyReading());
}

function* emptyReading(): Generator<never, void, unknown[]> {
  // Nothing is selected.
}
