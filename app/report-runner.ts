import { serveReports } from "./database/serve-reports.ts";

// The process of the product's reports. Its second thread watches it, and loads no product.
await serveReports(import.meta.url, async () => {
  const { product } = await import("./service/product.ts");
  return product.reports ?? [];
});
