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

/**
 * The token behind a request, by its digest, and when the session ends. Null without a session: valid as long as the
 * token.
 */
export type Access = { principal: string; digest: string; untilMs: number | null };

const lifetimeMs = 12 * 60 * 60 * 1000;
/** Browsers accept the __Host- name over HTTPS only, and only from this host. */
export const cookieNames = { secure: "__Host-lifeboat-session", plain: "lifeboat-session" } as const;

const Sealed = Type.Object({ digest: Type.String(), untilMs: Type.Number() });

type SessionOptions = {
  /** Seals the cookies. Undefined: a random secret, so that sessions end with the process. */
  secret: string | undefined;
  /** Finds the owner of a token. Undefined when the token is no longer valid. */
  findPrincipal: (digest: string) => string | undefined;
};

/**
 * Sessions of browsers. The server stores nothing: a sealed cookie holds the digest of the token that somebody signed
 * in with. So a session ends with its token.
 */
export class Sessions {
  readonly #seal: { password: string; ttl: number };
  readonly #findPrincipal: SessionOptions["findPrincipal"];

  constructor({ secret = randomBytes(32).toString("hex"), findPrincipal }: SessionOptions) {
    this.#seal = { password: secret, ttl: lifetimeMs / 1000 };
    this.#findPrincipal = findPrincipal;
  }

  /** Begins a session: adds its cookie to the answer. */
  async begin(request: FastifyRequest, reply: FastifyReply, token: { digest: string }): Promise<{ untilMs: number }> {
    const untilMs = Date.now() + lifetimeMs;
    const sealed = await sealData({ digest: token.digest, untilMs }, this.#seal);
    setCookie(reply, { isSecure: cameByHttps(request), value: sealed, maxAge: lifetimeMs / 1000 });
    return { untilMs };
  }

  /** Finds the token of a session. Throws Problem `unauthorized` (401) when the session has ended or is forged. */
  async authenticate(cookie: string): Promise<Access> {
    const content = await unsealData<unknown>(cookie, this.#seal);
    if (!Value.Check(Sealed, content) || content.untilMs <= Date.now()) throw sessionOver();
    const principal = this.#findPrincipal(content.digest);
    if (principal === undefined) throw sessionOver();
    return { principal, ...content };
  }
}

/**
 * Finds the cookie of a session in a request. Over HTTPS the plain one does not count: a sister domain can set it,
 * and so sign somebody in with a token of its own.
 */
export function findSessionCookie(request: FastifyRequest): string | undefined {
  const { cookie } = request.headers;
  if (cookie === undefined) return undefined;
  const cookies = parseCookie(cookie);
  return cookies[cookieNames.secure] ?? (request.protocol === "https" ? undefined : cookies[cookieNames.plain]);
}

const SignIn = Type.Object({ token: Type.String({ maxLength: 1_000 }) }, { additionalProperties: false });

/** Adds POST /session (sign in with a token), GET /session (who is signed in) and DELETE /session (sign out). */
export function addSessionRoutes(server: Server, sessions: Sessions, authenticate: Authenticate): void {
  const open = { config: { isOpen: true } };
  server.post(sessionPath, { ...open, bodyLimit: 4_096, schema: { body: SignIn } }, async (request, reply) => {
    // A foreign page must not sign somebody in. A program that is no browser sends no origin, and may sign in.
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

/** TLS ends before this server, so the proxy's header says so, or the origin of the page that asks. */
function cameByHttps({ protocol, headers }: FastifyRequest): boolean {
  return protocol === "https" || headers.origin?.startsWith("https://") === true;
}

function sessionOver() {
  return unauthorized(`The session is over or not known here. Sign in again: POST ${sessionPath} with a token.`);
}
