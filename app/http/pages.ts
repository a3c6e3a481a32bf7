import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { fileURLToPath } from "node:url";

import type { FastifyReply, FastifyRequest } from "fastify";

import type { Pages, Server } from "./product-routes.ts";

/** Adds the routes of the pages. Loads its library only here, so that a product without pages does not pay for it. */
export function addPages(server: Server, { path, folder }: Pages): void {
  const root = fileURLToPath(folder);
  const etags = hashFiles(root);
  void server.register(async (scope) => {
    const { default: fastifyStatic } = await import("@fastify/static");
    scope.addHook("onSend", answerUnchanged);
    await scope.register(fastifyStatic, {
      root,
      prefix: path.slice(0, -1),
      redirect: true,
      decorateReply: false,
      dotfiles: "ignore",
      acceptRanges: false,
      // The library's ETags are made of time and size. All files of a release have one time, so two releases would
      // clash.
      etag: false,
      lastModified: false,
      cacheControl: false,
      setHeaders: (reply, file) => {
        const etag = etags.get(file);
        void reply.headers({
          ...securityHeaders,
          "cache-control": isVersioned(reply.request.url) ? "public, max-age=31536000, immutable" : "no-cache",
          ...(etag !== undefined && { etag }),
        });
      },
    });
  });
}

// Scripts and styles come from files of this server alone, and no other site may frame a page.
const securityHeaders = {
  "content-security-policy":
    "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
  // Forms of ours must send their origin, and no other site may learn the path.
  "referrer-policy": "same-origin",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
};

function hashFiles(root: string): ReadonlyMap<string, string> {
  const files = readdirSync(root, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return new Map(
    files.map((entry) => {
      const file = join(entry.parentPath, entry.name);
      return [file, `"${createHash("sha256").update(readFileSync(file)).digest("base64url").slice(0, 22)}"`];
    }),
  );
}

/**
 * Whether the URL changes with the content: it has a version in the query, or a hash in its name as bundlers write it.
 * The URL of a page never changes.
 */
function isVersioned(url: string): boolean {
  const [path = "", query = ""] = url.split("?", 2);
  if (path.endsWith("/") || path.endsWith(".html")) return false;
  return (new URLSearchParams(query).get("v") ?? "") !== "" || hashedName.test(path);
}

// Eight hexadecimal digits with a letter and a digit, so that no date matches, or eight capitals as esbuild writes
// them. A hash that does not match is only asked for more often.
const hashedName = /[.-](?:(?=[a-f]*\d)(?=\d*[a-f])[0-9a-f]{8,}|(?=[A-Z]*[2-7])(?=[2-7]*[A-Z])[A-Z2-7]{8})\.\w+$/;

type Sent = (error: null, payload: unknown) => void;

function answerUnchanged(request: FastifyRequest, reply: FastifyReply, payload: unknown, done: Sent): void {
  const etag = reply.getHeader("etag");
  const known = request.headers["if-none-match"]?.split(",").map((tag) => tag.trim().replace(/^W\//, ""));
  if (
    reply.statusCode !== 200 ||
    typeof etag !== "string" ||
    known?.some((tag) => tag === etag || tag === "*") !== true
  )
    return done(null, payload);
  if (payload instanceof Readable) payload.destroy();
  void reply.code(304).removeHeader("content-length").removeHeader("content-type");
  done(null, null);
}
