import type { FastifyRequest } from "fastify";

import { openKitPaths } from "./kit-paths.ts";
import { LiveTokens } from "./live-tokens.ts";
import { notBegun, Problem } from "./problem.ts";
import { listPagePaths, type ProductRoutes, type Server } from "./product-routes.ts";
import { assertSameOrigin, changesSomething } from "./same-origin.ts";
import type { ServerConfig } from "./server-config.ts";
import { type Access, addSessionRoutes, findSessionCookie, Sessions } from "./sessions.ts";
import { authenticateWith, type Authenticate, parseTokens, type Token } from "./tokens.ts";

declare module "fastify" {
  interface FastifyRequest {
    /** The owner of the request's token. Null on a path that needs none. */
    principal: string | null;
    /** The token or session that authenticated the request. Null on a path that needs none. */
    access: Access | null;
    /** Whether the token or session is still valid: for long answers, such as streams. */
    isStillLetIn(): boolean;
  }
  interface FastifyContextConfig {
    /** A route of the kit that answers without a token. */
    isOpen?: boolean;
  }
}

/**
 * Runs for every request before its body is read: sets its id, refuses it while the server stops, and checks its token,
 * or the cookie of a session where the product has sessions.
 */
export function guardRequests(server: Server, config: TokenConfig, product: ProductRoutes): void {
  const tokens = openTokens(server, config);
  const findPrincipal = (digest: string) => tokens.list().find((token) => token.digest === digest)?.principal;
  const sessions = product.sessions === true ? new Sessions({ secret: config.sessionSecret, findPrincipal }) : null;
  const openPaths: ReadonlySet<string | undefined> = new Set([
    ...openKitPaths,
    ...product.openPaths,
    ...listPagePaths(product.pages),
  ]);
  server.decorateRequest("principal", null);
  server.decorateRequest("access", null);
  server.decorateRequest("isStillLetIn", function isStillLetIn() {
    if (this.access === null) return true;
    const { digest, untilMs } = this.access;
    return findPrincipal(digest) !== undefined && (untilMs === null || untilMs > Date.now());
  });
  let stopping = false;
  server.addHook("preClose", (done) => {
    stopping = true;
    done();
  });
  server.addHook("onRequest", (request, reply, done) => {
    void reply.headers({ "request-id": request.id, "cache-control": "no-store", "x-content-type-options": "nosniff" });
    if (stopping) throw stoppingProblem();
    const { url, config: route } = request.routeOptions;
    if (openPaths.has(url) || route.isOpen === true) return done();
    const { authorization } = request.headers;
    // A token counts alone, even beside a valid cookie.
    const cookie = authorization === undefined ? findSessionCookie(request) : undefined;
    if (sessions === null || cookie === undefined) {
      letIn(request, { ...tokens.authenticate(authorization), untilMs: null });
      return done();
    }
    void reply.header("vary", "cookie");
    // oxlint-disable-next-line promise/no-callback-in-promise -- a hook that is asynchronous for sessions alone
    letInBySession(request, sessions.authenticate(cookie)).then(() => done(), done);
  });
  if (sessions !== null) addSessionRoutes(server, sessions, tokens.authenticate);
}

function letIn(request: FastifyRequest, access: Access): void {
  request.access = access;
  request.principal = access.principal;
}

async function letInBySession(request: FastifyRequest, authenticating: Promise<Access>): Promise<void> {
  const access = await authenticating;
  if (changesSomething(request)) assertSameOrigin(request, { mayBeSilent: false });
  letIn(request, access);
}

type TokenConfig = Pick<ServerConfig, "tokenDigests" | "tokensFile" | "tokensReport" | "sessionSecret">;
type Tokens = { authenticate: Authenticate; list: () => readonly Token[] };

function openTokens(server: Server, { tokenDigests, tokensFile, tokensReport }: TokenConfig): Tokens {
  if (tokensFile === undefined) {
    const fixed = parseTokens(tokenDigests);
    return { authenticate: authenticateWith(fixed), list: () => fixed };
  }
  const live = new LiveTokens(tokensFile, server.log, tokensReport);
  server.addHook("onClose", (_server, done) => {
    live.close();
    done();
  });
  return { authenticate: live.authenticate, list: () => live.tokens };
}

function stoppingProblem(): Problem {
  const detail = "The server is stopping and takes no more requests on this connection.";
  return new Problem(503, "stopping", detail, notBegun("stopping", 1));
}
