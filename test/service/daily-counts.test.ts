import { expect, test } from "vitest";

import { createCustomer } from "../../app/service/create-customer.ts";
import { createInvoice } from "../../app/service/create-invoice.ts";
import { nightlyCount } from "../../app/service/daily-counts.ts";
import { payInvoice } from "../../app/service/pay-invoice.ts";
import { product } from "../../app/service/product.ts";
import { openProductDatabase } from "../product/product-database.ts";
import { runJob } from "../product/run-job.ts";

test("the nightly job counts for the day that has ended, and a repeated run changes nothing", async () => {
  using database = openProductDatabase();
  const { db, execute } = database;
  const { id: customerId } = execute(createCustomer, { name: "Ada", email: "ada@example.com" });
  const lines = [{ description: "Hosting", quantity: 1, unitCents: 100 }];
  const [first] = ["R-1", "R-2", "R-3"].map((reference) =>
    execute(createInvoice, { customerId, reference, currency: "EUR", lines }),
  );
  execute(payInvoice, { invoiceId: first?.id ?? "" });
  const counts = () => db.prepare("select * from daily_counts order by id").all();
  const night = { db, product, dueAt: new Date("2027-01-01T00:05:00Z") };
  await runJob(nightlyCount, night);
  expect(counts()).toEqual([{ id: "2026-12-31", open: 2, paid: 1 }]);
  execute(createInvoice, { customerId, reference: "R-4", currency: "EUR", lines });
  await runJob(nightlyCount, night);
  expect(counts()).toEqual([{ id: "2026-12-31", open: 2, paid: 1 }]);
  await runJob(nightlyCount, { ...night, dueAt: new Date("2027-01-02T00:05:00Z") });
  expect(counts()).toEqual([
    { id: "2026-12-31", open: 2, paid: 1 },
    { id: "2027-01-01", open: 3, paid: 1 },
  ]);
});
