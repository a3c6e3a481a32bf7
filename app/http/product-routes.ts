import { statSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { fileURLToPath } from "node:url";

import type { TypeBoxTypeProvider } from "@fastify/type-provider-typebox";
import type { FastifyBaseLogger, FastifyInstance, RawServerDefault } from "fastify";

import type { CommitListener } from "../database/commit-feed.ts";
import type { Reader } from "../database/reader.ts";
import type { FileStore } from "../files/file-store.ts";
import type { AnswerReport } from "./answer-report.ts";
import type { AnswerWrite } from "./answer-write.ts";
import { kitPaths, sessionPath } from "./kit-paths.ts";

/** The server with schemas as types: `request.body` has the type of the route's schema. */
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
  /** The paths of routes that answer without a token, exactly as they are added. */
  openPaths: readonly string[];
  /** Static files, such as pages of HTML. */
  pages?: Pages;
  /** Lets browsers sign in at /session with a token, and go on with a cookie. */
  sessions?: boolean;
};

/** Static files of a product. They need no token, so they contain no data: they fetch it from the routes. */
export type Pages = {
  /** Their path, for example "/app/". */
  path: string;
  /** Their folder beside product.ts, for example `new URL("pages/", import.meta.url)`. A release contains it. */
  folder: URL;
};

/** The paths of the routes that addPages adds. */
export function listPagePaths(pages: Pages | undefined): string[] {
  return pages === undefined ? [] : [pages.path.slice(0, -1), `${pages.path}*`];
}

/** What the product's routes may use. */
export type RouteContext = {
  /** Reads rows, on a connection that cannot write. Every other request waits meanwhile: what takes long is a report. */
  reader: Pick<Reader, "read">;
  /** Runs a command, and answers with its result once the write has the durability that the request asks for. */
  answerWrite: AnswerWrite;
  /** Runs a report beside everything else, and answers with its result. */
  answerReport: AnswerReport;
  /** Calls the listener for every command that this machine commits from now on. */
  onCommit: (listener: CommitListener) => void;
  /** Keeps files in the bucket, beside the database. */
  files: Pick<FileStore, "put" | "open">;
};

/** For routes that are added for inspection and never called. */
export const neverAsked: RouteContext = {
  reader: { read: refuseRead },
  answerWrite: refuseRead,
  answerReport: refuseRead,
  onCommit: () => undefined,
  files: { put: refuseRead, open: refuseRead },
};

function refuseRead(): never {
  throw new Error("a route asked for data while it was added; ask when it is called");
}

/**
 * Adds a product's routes. Throws Error when one is on a path of the kit, and when an open path has no route: it would
 * be misspelt, and the intended route would ask for a token.
 */
export function addProductRoutes(server: Server, product: ProductRoutes, context: RouteContext): void {
  const reserved = product.sessions === true ? [...kitPaths, sessionPath] : kitPaths;
  if (product.pages !== undefined) assertPages(product.pages);
  const paths = new Set<string>();
  let isAdding = true;
  server.addHook("onRoute", ({ url }) => {
    if (!isAdding) return;
    if (reserved.includes(url)) throw new Error(`the product adds a route on ${url}, which is the kit's own; move it`);
    paths.add(url);
  });
  product.addRoutes(server, context);
  isAdding = false;
  const unknown = product.openPaths.filter((path) => !paths.has(path));
  if (unknown.length > 0)
    throw new Error(`openPaths of the product names ${unknown.join(", ")}, but no route has such a path`);
}

function assertPages({ path, folder }: Pages): void {
  if (!/^(?:\/[\w-]+)+\/$/.test(path))
    throw new Error(`the pages' path is ${path}; it must be one of its own, and end in a slash, as in /app/`);
  const taken = kitPaths.find((own) => own === path.slice(0, -1) || own.startsWith(path));
  if (taken !== undefined) throw new Error(`the pages are on ${path}, but ${taken} is the kit's own; move them`);
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() !== true)
    throw new Error(`the pages' folder ${fileURLToPath(folder)} is not there`);
}
