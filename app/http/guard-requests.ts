import { createAuthenticator } from "./authenticate.ts";
import { openPaths } from "./health-routes.ts";
import { Problem } from "./problem.ts";
import type { Server } from "./route-context.ts";

/** Sees every request before its body is read: names it, turns it away while the server stops, asks for the token. */
export function guardRequests(server: Server, tokenDigests: readonly string[]): void {
  const authenticate = createAuthenticator(tokenDigests);
  let stopping = false;
  server.addHook("preClose", (done) => {
    stopping = true;
    done();
  });
  server.addHook("onRequest", (request, reply, done) => {
    reply.header("request-id", request.id).header("cache-control", "no-store");
    if (stopping) throw stoppingProblem();
    if (!openPaths.has(request.routeOptions.url)) authenticate(request.headers.authorization);
    done();
  });
}

function stoppingProblem(): Problem {
  const detail = "The server is stopping and takes no more requests on this connection.";
  return new Problem(503, "stopping", detail, { headers: { "retry-after": "1" } });
}
