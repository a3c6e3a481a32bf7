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
  ["without outbox", { outbox: undefined }, "has no outbox"],
  ["with a report named twice", { reports: [report("sums"), report("sums")] }, 'two reports are named "sums"'],
  ["with a report that reads nothing", { reports: [{ name: "sums" }] }, 'the report "sums" has no read'],
  ["with a route on /load", { addRoutes: addRoute("/load") }, "/load, which is the kit's own"],
  ["without jobs", { jobs: undefined }, "has no jobs"],
  [
    "with a command of the kit's names",
    { commands: [{ ...addPage, name: "_own" }] },
    'the command "_own" has a name that',
  ],
  [
    "with a handler named twice",
    { outbox: [handler("mail"), handler("mail")] },
    'two outbox handlers are named "mail"',
  ],
  ["with a handler of the kit's names", { outbox: [handler("_mail")] }, 'the outbox handler "_mail" has a name that'],
  ["with a handler that does nothing", { outbox: [{ name: "mail" }] }, 'the outbox handler "mail" has no perform'],
  ["with a job named twice", { jobs: [job("0 3 * * *"), job("0 4 * * *")] }, 'two jobs are named "nightly"'],
  [
    "with a job of the kit's names",
    { jobs: [{ ...job("0 3 * * *"), name: "_own" }] },
    'the job "_own" has a name that',
  ],
  [
    "with a job without a schedule",
    { jobs: [{ ...job(""), schedule: undefined }] },
    'the job "nightly" has no schedule',
  ],
  [
    "with a job at minute 61",
    { jobs: [job("61 * * * *")] },
    'the job "nightly" has a wrong schedule "61 * * * *": CronPattern: Invalid value for minute: 61',
  ],
  [
    "with a job of four parts",
    { jobs: [job("* * * *")] },
    'wrong schedule "* * * *": CronPattern: invalid configuration',
  ],
  ["with a job on 30 February", { jobs: [job("0 0 30 2 *")] }, "no such day ever comes"],
  ["with a job at a date", { jobs: [job("2090-01-01T00:00:00")] }, "it is a date and no cron pattern"],
  ["with a route on /effects", { addRoutes: addRoute("/effects") }, "/effects, which is the kit's own"],
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

function handler(name: string) {
  return { name, perform: () => Promise.resolve() };
}

function report(name: string) {
  return { name, read: emptyReading };
}

function job(schedule: string) {
  return { name: "nightly", schedule, run: () => Promise.resolve() };
}

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
