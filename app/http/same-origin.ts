import type { FastifyRequest } from "fastify";

import { Problem } from "./problem.ts";

type Options = {
  /** Also accept a request that does not say where it comes from. No current browser sends such a write. */
  mayBeSilent: boolean;
};

/**
 * Refuses a request that a page of another origin sends, because browsers add the cookie to that too. Throws Problem
 * `cross-site` (403).
 */
export function assertSameOrigin({ headers }: FastifyRequest, { mayBeSilent }: Options): void {
  // Browsers set this header, and no page can. Over plain HTTP they send only Origin.
  const site = headers["sec-fetch-site"];
  if (site !== undefined) {
    if (site !== "same-origin") throw crossSite();
  } else if (headers.origin !== undefined) {
    // An origin that is none has no host, and neither has a request of HTTP/1.0.
    const from = URL.parse(headers.origin)?.host ?? null;
    if (from === null || from !== headers.host) throw crossSite();
  } else if (!mayBeSilent) throw crossSite();
}

/** A read may come from anywhere: no browser shows its answer to a page of another origin. */
export function changesSomething({ method }: FastifyRequest): boolean {
  return !["GET", "HEAD", "OPTIONS"].includes(method);
}

function crossSite(): Problem {
  const detail =
    "This request does not come from a page of this server, so its session does not count. Send it from one, or with the header Authorization: Bearer <token>.";
  return new Problem(403, "cross-site", detail);
}
