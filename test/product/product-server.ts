import type { RouteContext } from "../../app/http/product-routes.ts";
import { product } from "../../app/service/product.ts";
import { startTestServer, type TestServer } from "../http/test-server.ts";

/** Starts the server of the product in app/service, with the writer thread and the reports of a release. */
export function startProductServer(options: { files?: RouteContext["files"] } = {}): Promise<TestServer> {
  const threadUrl = new URL("../../app/writer-thread.ts", import.meta.url);
  return startTestServer({}, { ...options, product, threadUrl });
}
