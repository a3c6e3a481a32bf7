import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { expect, test } from "vitest";

import type { Job } from "../../app/background/job.ts";
import { applyMigrations } from "../../app/database/migrate.ts";
import { openDatabase } from "../../app/database/open-database.ts";
import { addPage, pagesProduct, readPageById } from "./pages.ts";
import { runJob } from "./run-job.ts";

const dueAt = new Date("2026-11-26T03:00:00Z");
const daily: Job = {
  name: "daily-page",
  schedule: "0 3 * * *",
  run: async ({ dueAt: due, execute, reader, log }) => {
    const page = await execute(addPage, { title: due.toISOString().slice(0, 10) });
    log.info({ page: reader.read(readPageById(page.id)) }, "a page of the day");
  },
};

test("a job runs on a test's database: it gets what its commands return, reads what they wrote, and logs", async () => {
  const directory = mkdtempSync(join(tmpdir(), "lifeboat-job-"));
  const db = openDatabase(join(directory, "app.db"), "writer");
  applyMigrations(db, pagesProduct.migrations);
  const page = expect.objectContaining({ title: "2026-11-26" });
  expect(await runJob(daily, { db, product: pagesProduct, dueAt })).toEqual([
    { level: "info", event: "a page of the day", details: { page } },
  ]);
  await expect(runJob(daily, { db, product: pagesProduct, dueAt })).rejects.toThrow("conflict");
  const unlisted = { ...pagesProduct, commands: [] };
  await expect(runJob(daily, { db, product: unlisted, dueAt })).rejects.toThrow('no such command as "add-page"');
  const signal = AbortSignal.abort(new Error("the server stops"));
  await expect(runJob(daily, { db, product: pagesProduct, dueAt, signal })).rejects.toThrow("the server stops");
  db.close();
  rmSync(directory, { recursive: true });
});
