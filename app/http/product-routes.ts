import type { IncomingMessage, ServerResponse } from "node:http";

import type { TypeBoxTypeProvider } from "@fastify/type-provider-typebox";
import type { FastifyBaseLogger, FastifyInstance, RawServerDefault } from "fastify";

import type { Reader } from "../database/reader.ts";
import type { AnswerWrite } from "./answer-write.ts";
import { kitPaths } from "./kit-paths.ts";

/** The server with its schemas as types: `request.body` is what the route's schema says. */
export type Server = FastifyInstance<
  RawServerDefault,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>;

/** The part of a product that the server needs. */
export type ProductRoutes = {
  /** Adds the product's routes to the server. */
  addRoutes(server: Server, context: RouteContext): void;
  /** Which of these routes answer without a token, by the paths that they are added with. */
  openPaths: readonly string[];
};

/** What the product's routes work with. */
export type RouteContext = {
  /** Reads rows, on a connection that cannot write. */
  reader: Pick<Reader, "read">;
  /** Runs a command and answers the request with its result, once it is as durable as was asked for. */
  answerWrite: AnswerWrite;
};

/** For routes that are added to be looked at and never called. */
export const neverAsked: RouteContext = {
  reader: { read: refuseRead },
  answerWrite: refuseRead,
};

function refuseRead(): never {
  throw new Error("a route asked for data while it was added; ask when it is called");
}

/**
 * Adds a product's routes. Throws Error when one of them is on a path of the kit's own, and for an open path that no
 * route has: it would be a misspelt one, whose route asks for a token.
 */
export function addProductRoutes(server: Server, product: ProductRoutes, context: RouteContext): void {
  const paths = new Set<string>();
  let isAdding = true;
  server.addHook("onRoute", ({ url }) => {
    if (!isAdding) return;
    if (kitPaths.includes(url)) throw new Error(`the product adds a route on ${url}, which is the kit's own; move it`);
    paths.add(url);
  });
  product.addRoutes(server, context);
  isAdding = false;
  const unknown = product.openPaths.filter((path) => !paths.has(path));
  if (unknown.length > 0)
    throw new Error(`openPaths of the product names ${unknown.join(", ")}, but no route has such a path`);
}
