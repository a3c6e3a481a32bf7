import type { RouteContext } from "../../app/http/product-routes.ts";
import { product } from "../../app/service/product.ts";
import { startTestServer, type TestServer } from "../http/test-server.ts";

/** The server over the billing service and the writer thread of a release. */
export function startBillingServer(options: { files?: RouteContext["files"] } = {}): Promise<TestServer> {
  return startTestServer(
    {},
    { ...options, product, threadUrl: new URL("../../app/writer-thread.ts", import.meta.url) },
  );
}
