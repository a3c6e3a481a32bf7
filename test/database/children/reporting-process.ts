import { isMainThread } from "node:worker_threads";

import { ReportLane } from "../../../app/database/reports.ts";
import { serveReports } from "../../../app/database/serve-reports.ts";
import { endless } from "../../product/reports.ts";

// Started with the path of a database: a server whose report never ends. It starts this program again as its process
// of reports, which says its id.
const [, , given = ""] = process.argv;
const ignore = () => undefined;
const isRunner = !isMainThread || given.startsWith("{");
if (isRunner) {
  if (isMainThread) process.stderr.write(`${process.pid}\n`);
  await serveReports(import.meta.url, async () => [endless]);
} else {
  const lane = new ReportLane({
    runnerUrl: new URL(import.meta.url),
    databasePath: given,
    limits: { runMs: 600_000, mostWaiting: 1, memoryBytes: 2 ** 29, answerBytes: 2 ** 20 },
    isWalBig: () => false,
    log: { info: ignore, warn: ignore, error: ignore },
  });
  lane.run("endless", {}, new AbortController().signal).catch(ignore);
}
