import { type Static, Type } from "typebox";

import { defineReport } from "../database/report.ts";
import { query, type Reading } from "../database/transaction.ts";
import type { RouteContext, Server } from "../http/product-routes.ts";
import { tables } from "./tables.ts";

const Month = Type.Object(
  {
    month: Type.String({ description: "in UTC, such as 2026-11" }),
    currency: Type.String(),
    invoices: Type.Integer(),
    totalCents: Type.Integer(),
  },
  { additionalProperties: false },
);
type Month = Static<typeof Month>;

const Revenue = Type.Object({ months: Type.Array(Month) }, { additionalProperties: false });
type Revenue = Static<typeof Revenue>;

const RevenueQuery = Type.Object(
  { from: Type.Optional(Type.String({ pattern: "^[0-9]{4}-(?:0[1-9]|1[0-2])$" })) },
  { additionalProperties: false },
);

function* sumByMonth({ from = "" }: Static<typeof RevenueQuery>): Reading<Revenue> {
  const months = yield* query(
    tables
      .selectFrom("invoices")
      .select((build) => [
        build.fn<string>("substr", ["paid_at", build.lit(1), build.lit(7)]).as("month"),
        "currency",
        build.fn.countAll<number>().as("invoices"),
        build.fn.sum<number>("total_cents").as("totalCents"),
      ])
      .where("paid_at", ">=", from)
      .groupBy(["month", "currency"])
      .orderBy("month")
      .orderBy("currency"),
  );
  return { months };
}

/** What was paid in each month from `from` on. It reads every paid invoice, so it is a report. */
export const revenueByMonth = defineReport("revenue-by-month", sumByMonth);

/** Adds GET /revenue. */
export function addRevenueRoute(server: Server, { answerReport }: RouteContext): void {
  const route = { schema: { querystring: RevenueQuery, response: { 200: Revenue } } };
  server.get("/revenue", route, (request, reply) =>
    answerReport(request, reply, { report: revenueByMonth, input: request.query }),
  );
}
