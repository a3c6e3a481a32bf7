import { sql } from "kysely";
import { Type } from "typebox";

import { defineReport, type Report } from "../../app/database/report.ts";
import { sqlBuilder } from "../../app/database/sql.ts";
import { query, type Reading } from "../../app/database/transaction.ts";
import { CommandRejected } from "../../app/database/write-outcome.ts";
import type { Product } from "../../app/product.ts";
import { pagesProduct } from "./pages.ts";

const tables = sqlBuilder<{ pages: { id: string } }>();

/** SQLite counts, row by row, and gives nothing back before it is there. */
function* sumUpTo(most: number): Reading<{ sum: number }> {
  const counted = tables.withRecursive("n(i)", (db) =>
    db.selectNoFrom(sql<number>`1`.as("i")).unionAll(
      db
        .selectFrom("n")
        .select(sql<number>`i + 1`.as("i"))
        .where("i", "<", most),
    ),
  );
  const [row] = yield* query(counted.selectFrom("n").select(({ fn }) => fn.sum<number>("i").as("sum")));
  return { sum: row?.sum ?? 0 };
}

function* selectText(expression: string): Reading<string> {
  const [row] = yield* query(tables.selectNoFrom(sql.raw<string>(expression).as("text")));
  return row?.text ?? "";
}

const sum = defineReport("sum", ({ most }: { most: number }) => sumUpTo(most));
/** Its snapshot begins with the pages. */
export const endless = defineReport("endless", function* (): Reading<{ sum: number }> {
  yield* query(tables.selectFrom("pages").select("id").limit(1));
  return yield* sumUpTo(Number.MAX_SAFE_INTEGER);
});
const countPages = defineReport("count-pages", function* (): Reading<{ pages: number }> {
  const [row] = yield* query(tables.selectFrom("pages").select(({ fn }) => fn.countAll<number>().as("pages")));
  return { pages: row?.pages ?? 0 };
});
/** Takes 800 MB in SQLite, of which V8 knows nothing. */
const hungrySql = defineReport("hungry-sql", function* (): Reading<number> {
  return (yield* selectText("hex(zeroblob(400000000))")).length;
});
const hungryScript = defineReport("hungry-script", function* (): Reading<number> {
  const kept: string[][] = [];
  for (;;) kept.push((yield* selectText("'words'")).repeat(100_000).split(""));
});
const large = defineReport("large", () => selectText("hex(zeroblob(1000000))"));
const rejected = defineReport("rejected", function* (): Reading<never> {
  yield* selectText("'read'");
  throw new CommandRejected("not-found", 404, "There is no such year.");
});
const failing = defineReport("failing", function* (): Reading<string> {
  return yield* selectText("no_such_column");
});

const withoutInput: readonly Report<unknown>[] = [
  endless,
  countPages,
  hungrySql,
  hungryScript,
  large,
  rejected,
  failing,
];
export const reports = [sum, ...withoutInput];

const SumQuery = Type.Object({ most: Type.String() });

/** The pages, with reports, and the same reading as a report and as an ordinary one. */
export const reportsProduct: Product = {
  ...pagesProduct,
  reports,
  addRoutes: (server, context) => {
    pagesProduct.addRoutes(server, context);
    const { reader, answerReport } = context;
    server.get("/sum", { schema: { querystring: SumQuery } }, (request, reply) =>
      answerReport(request, reply, { report: sum, input: { most: Number(request.query.most) } }),
    );
    server.get("/sum-here", { schema: { querystring: SumQuery } }, (request, reply) =>
      reply.send(reader.read(sumUpTo(Number(request.query.most)))),
    );
    for (const report of withoutInput)
      server.get(`/${report.name}`, (request, reply) => answerReport(request, reply, { report, input: {} }));
  },
};
