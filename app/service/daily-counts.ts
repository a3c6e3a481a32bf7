import { type Static, Type } from "typebox";

import type { Job } from "../background/job.ts";
import { defineCommand } from "../database/command.ts";
import { defineReport } from "../database/report.ts";
import { query, type Reading, type Transaction } from "../database/transaction.ts";
import type { RouteContext, Server } from "../http/product-routes.ts";
import { pageOf, pageQuery, readPage, type Slice } from "../http/reads.ts";
import { tables } from "./tables.ts";

const DailyCount = Type.Object(
  { id: Type.String({ description: "the day in UTC" }), open: Type.Integer(), paid: Type.Integer() },
  { additionalProperties: false },
);
type DailyCount = Static<typeof DailyCount>;
const ListQuery = Type.Object(pageQuery, { additionalProperties: false });

function* countByStatus(): Reading<Omit<DailyCount, "id">> {
  const rows = yield* query(
    tables
      .selectFrom("invoices")
      .select(({ fn }) => ["status", fn.countAll<number>().as("count")])
      .groupBy("status"),
  );
  const countOf = (status: string): number => rows.find((row) => row.status === status)?.count ?? 0;
  return { open: countOf("open"), paid: countOf("paid") };
}

/** Reads every invoice, so neither the requests nor the writes wait for it. */
export const invoiceCounts = defineReport("invoice-counts", countByStatus);

/** Stores the counts of a day. A second run for the same day changes nothing. */
export const storeCount = defineCommand("store-daily-count", function* (count: DailyCount): Transaction<void> {
  const insertion = tables.insertInto("daily_counts").values(count);
  yield* query(insertion.onConflict((conflict) => conflict.column("id").doNothing()));
});

/** Runs shortly after midnight (UTC), for the day that has ended. */
export const nightlyCount: Job = {
  name: "nightly-count",
  schedule: "5 0 * * *",
  run: async ({ dueAt, report, execute }) => {
    const before = new Date(dueAt.getTime() - 24 * 60 * 60 * 1000);
    const counts = await report(invoiceCounts, {});
    await execute(storeCount, { id: before.toISOString().slice(0, 10), ...counts });
  },
};

function* listDailyCounts({ after = "", limit }: Slice): Reading<DailyCount[]> {
  return yield* query(tables.selectFrom("daily_counts").selectAll().where("id", ">", after).orderBy("id").limit(limit));
}

/** Adds GET /daily-counts. */
export function addDailyCountRoutes(server: Server, { reader }: RouteContext): void {
  const list = { schema: { querystring: ListQuery, response: { 200: pageOf(DailyCount) } } };
  server.get("/daily-counts", list, async ({ query: asked }) =>
    readPage(reader, { list: "daily-counts", query: asked, select: listDailyCounts }),
  );
}
