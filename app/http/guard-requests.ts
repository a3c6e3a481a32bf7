import { openKitPaths } from "./kit-paths.ts";
import { LiveTokens } from "./live-tokens.ts";
import { Problem } from "./problem.ts";
import { type Server } from "./product-routes.ts";
import type { ServerConfig } from "./server-config.ts";
import { createAuthenticator, type Authenticate } from "./tokens.ts";

declare module "fastify" {
  interface FastifyRequest {
    /** Whose token the request carries; null where none is asked for. */
    principal: string | null;
  }
}

/** Sees every request before its body is read: names it, turns it away while the server stops, asks for the token. */
export function guardRequests(server: Server, config: TokenConfig, productPaths: readonly string[]): void {
  const authenticate = openTokens(server, config);
  server.decorateRequest("principal", null);
  const openPaths: ReadonlySet<string | undefined> = new Set([...openKitPaths, ...productPaths]);
  let stopping = false;
  server.addHook("preClose", (done) => {
    stopping = true;
    done();
  });
  server.addHook("onRequest", (request, reply, done) => {
    reply.header("request-id", request.id).header("cache-control", "no-store");
    if (stopping) throw stoppingProblem();
    if (!openPaths.has(request.routeOptions.url)) {
      request.principal = authenticate(request.headers.authorization);
    }
    done();
  });
}

type TokenConfig = Pick<ServerConfig, "tokenDigests" | "tokensFile" | "tokensReport">;

function openTokens(server: Server, { tokenDigests, tokensFile, tokensReport }: TokenConfig): Authenticate {
  if (tokensFile === undefined) return createAuthenticator(tokenDigests);
  const tokens = new LiveTokens(tokensFile, server.log, tokensReport);
  server.addHook("onClose", (_server, done) => {
    tokens.close();
    done();
  });
  return tokens.authenticate;
}

function stoppingProblem(): Problem {
  const detail = "The server is stopping and takes no more requests on this connection.";
  return new Problem(503, "stopping", detail, { headers: { "retry-after": "1" } });
}
