import { serveReports } from "../../app/database/serve-reports.ts";

await serveReports(import.meta.url, async () => (await import("./reports.ts")).reports);
