import { randomBytes } from "node:crypto";

import { parseCookie, stringifySetCookie } from "cookie";
import type { FastifyReply, FastifyRequest } from "fastify";
import { sealData, unsealData } from "iron-session";
import { Type } from "typebox";
import { Value } from "typebox/value";

import { sessionPath } from "./kit-paths.ts";
import type { Server } from "./product-routes.ts";
import { assertSameOrigin } from "./same-origin.ts";
import { type Authenticate, unauthorized } from "./tokens.ts";

/** By what a request was let in: the token, by its digest, and until when that counts; null: as long as the token does. */
export type Access = { principal: string; digest: string; untilMs: number | null };

const lifetimeMs = 12 * 60 * 60 * 1000;
/** Browsers take the first one over HTTPS alone, and from this host alone. */
export const cookieNames = { secure: "__Host-lifeboat-session", plain: "lifeboat-session" } as const;

const Sealed = Type.Object({ digest: Type.String(), untilMs: Type.Number() });

type SessionOptions = {
  /** The key of the cookies' seal. Absent: one of this process, so that sessions end with it. */
  secret: string | undefined;
  /** Whose a token is that is let in now. */
  findPrincipal: (digest: string) => string | undefined;
};

/**
 * Sessions of browsers, which the server keeps nothing of: a sealed cookie names the token that somebody signed in with.
 * So a session ends with its token.
 */
export class Sessions {
  readonly #seal: { password: string; ttl: number };
  readonly #findPrincipal: SessionOptions["findPrincipal"];

  constructor({ secret = randomBytes(32).toString("hex"), findPrincipal }: SessionOptions) {
    this.#seal = { password: secret, ttl: lifetimeMs / 1000 };
    this.#findPrincipal = findPrincipal;
  }

  /** Begins a session, with the cookie of this answer. */
  async begin(request: FastifyRequest, reply: FastifyReply, token: { digest: string }): Promise<{ untilMs: number }> {
    const untilMs = Date.now() + lifetimeMs;
    const sealed = await sealData({ digest: token.digest, untilMs }, this.#seal);
    setCookie(reply, { isSecure: cameByHttps(request), value: sealed, maxAge: lifetimeMs / 1000 });
    return { untilMs };
  }

  /** Says by which session a request is let in. Throws Problem `unauthorized` (401) when it is over or never was. */
  async authenticate(cookie: string): Promise<Access> {
    const content = await unsealData<unknown>(cookie, this.#seal);
    if (!Value.Check(Sealed, content) || content.untilMs <= Date.now()) throw sessionOver();
    const principal = this.#findPrincipal(content.digest);
    if (principal === undefined) throw sessionOver();
    return { principal, ...content };
  }
}

/**
 * The cookie of a session, as a request brings it. Over HTTPS the plain one does not count: a sister domain can set it,
 * and so sign somebody in with a token of its own.
 */
export function findSessionCookie(request: FastifyRequest): string | undefined {
  const { cookie } = request.headers;
  if (cookie === undefined) return undefined;
  const cookies = parseCookie(cookie);
  return cookies[cookieNames.secure] ?? (isForwardedHttps(request) ? undefined : cookies[cookieNames.plain]);
}

const SignIn = Type.Object({ token: Type.String({ maxLength: 1_000 }) }, { additionalProperties: false });

/** Adds POST /session (sign in with a token), GET /session (who is it) and DELETE /session (sign out). */
export function addSessionRoutes(server: Server, sessions: Sessions, authenticate: Authenticate): void {
  const open = { config: { isOpen: true } };
  server.post(sessionPath, { ...open, bodyLimit: 4_096, schema: { body: SignIn } }, async (request, reply) => {
    // Nobody is to be signed in from a stranger's page. A program that is no browser says nothing of where it comes from.
    assertSameOrigin(request, { mayBeSilent: true });
    const token = authenticate(`Bearer ${request.body.token}`);
    const { untilMs } = await sessions.begin(request, reply, token);
    return { principal: token.principal, expiresAt: new Date(untilMs).toISOString() };
  });
  server.get(sessionPath, async ({ access }) => ({
    principal: access?.principal,
    expiresAt: typeof access?.untilMs === "number" ? new Date(access.untilMs).toISOString() : null,
  }));
  server.delete(sessionPath, open, async (request, reply) => {
    assertSameOrigin(request, { mayBeSilent: findSessionCookie(request) === undefined });
    for (const isSecure of [true, false]) setCookie(reply, { isSecure, value: "", maxAge: 0 });
    return reply.code(204).send();
  });
}

type Cookie = { isSecure: boolean; value: string; maxAge: number };

function setCookie(reply: FastifyReply, { isSecure, value, maxAge }: Cookie): void {
  const name = isSecure ? cookieNames.secure : cookieNames.plain;
  const limits = { httpOnly: true, sameSite: "strict", path: "/", secure: isSecure } as const;
  void reply.header("set-cookie", stringifySetCookie({ name, value, maxAge, ...limits }));
}

/** TLS ends before this server: the proxy says so, or the browser by the page that asks. */
function cameByHttps(request: FastifyRequest): boolean {
  return isForwardedHttps(request) || request.headers.origin?.startsWith("https://") === true;
}

function isForwardedHttps({ headers }: FastifyRequest): boolean {
  const forwarded = headers["x-forwarded-proto"];
  const [scheme] = typeof forwarded === "string" ? forwarded.split(",") : [];
  return scheme?.trim() === "https";
}

function sessionOver() {
  return unauthorized(`The session is over or not known here. Sign in again: POST ${sessionPath} with a token.`);
}
