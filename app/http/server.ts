import { randomUUID } from "node:crypto";
import type { IncomingMessage } from "node:http";

import type { TypeBoxTypeProvider } from "@fastify/type-provider-typebox";
import Fastify, { LogController } from "fastify";
import type { FastifyBaseLogger, FastifyReply, FastifyRequest } from "fastify";

import type { CommitFeed } from "../database/commit-feed.ts";
import type { Reports } from "../database/reports.ts";
import { answerParserError } from "./answer-parser-error.ts";
import { createAnswerReport } from "./answer-report.ts";
import { createAnswerWrite, type WriteExecutor, type Replica } from "./answer-write.ts";
import { addBackgroundRoutes, type BackgroundView } from "./background-routes.ts";
import { Connections } from "./connections.ts";
import { guardRequests } from "./guard-requests.ts";
import { addHealthRoutes, judgeHealth, type WriterHealth } from "./health-routes.ts";
import { addHeartbeat } from "./heartbeat.ts";
import { addLoadRoute, type LoadView } from "./load-route.ts";
import { addMetricsRoute } from "./metrics-route.ts";
import { addDocument } from "./openapi.ts";
import { addPages } from "./pages.ts";
import { answerFailure, answerNoRoute } from "./problem.ts";
import { addProductRoutes, type ProductRoutes, type RouteContext, type Server } from "./product-routes.ts";
import { compileValidator } from "./schema-validator.ts";
import type { ServerConfig } from "./server-config.ts";
import { addUploads } from "./uploads.ts";

export type ServerOptions = {
  writer: WriteExecutor & WriterHealth;
  reader: RouteContext["reader"];
  reports: Pick<Reports, "run" | "close">;
  load: LoadView;
  /** Measures the file system of the database. Without it, /metrics does not know. */
  measureDisk?: () => { freeBytes: number; totalBytes: number };
  replication: Replica;
  background: BackgroundView;
  commits: Pick<CommitFeed, "listen">;
  files: RouteContext["files"];
  product: ProductRoutes;
  config: ServerConfig;
  /** Why the machine does not serve completely yet. Null when it does. */
  findStartCause?: () => string | null;
  log?: FastifyBaseLogger;
};

/**
 * Builds the HTTP server. The caller makes it listen. `close()` accepts no more requests, answers pending ones, and
 * breaks off those that have no answer after `closeTimeoutMs`.
 */
export function buildServer(options: ServerOptions): Server {
  const { writer, reader, reports, replication, background, commits, files, product, config, log } = options;
  const server = createServer(log, config.closeTimeoutMs ?? closeTimeoutMs);
  // Only JSON is understood; Fastify would take text/plain too.
  server.removeContentTypeParser("text/plain");
  server.setErrorHandler(answerFailure);
  server.setNotFoundHandler(answerNoRoute);
  guardRequests(server, config, product);
  server.addHook("onResponse", logRequest);
  const answerWrite = createAnswerWrite({ writer, replication, config });
  const health = { writer, replication, findStartCause: options.findStartCause ?? (() => null) };
  addHealthRoutes(server, health);
  const { heartbeat } = config;
  if (heartbeat !== undefined)
    addHeartbeat(
      server,
      heartbeat,
      () => judgeHealth(health, heartbeat.withinMs ?? replicatedWithinMs).status === "ready",
    );
  addDocument(server, product);
  addBackgroundRoutes(server, background, { reader, answerWrite });
  if (product.pages !== undefined) addPages(server, product.pages);
  addUploads(server);
  addLoadRoute(server, options.load);
  addMetricsRoute(server, { health, load: options.load, measureDisk: options.measureDisk ?? unmeasured });
  server.addHook("preClose", (done) => {
    reports.close();
    done();
  });
  const answerReport = createAnswerReport(reports);
  addProductRoutes(server, product, { reader, answerWrite, answerReport, onCommit: commits.listen, files });
  return server;
}

/** A connection costs up to 1 MB of memory during an upload with a valid token, otherwise about 50 KB. */
const mostConnections = 1_000;
const closeTimeoutMs = 10_000;
/** As `/ready?replicated=60s`. */
const replicatedWithinMs = 60_000;
const headersTimeoutMs = 15_000;
const limits = {
  // For routes without a limit of their own.
  bodyLimit: 16 * 1024,
  requestTimeout: 30_000,
  connectionTimeout: 60_000,
  // Longer than a proxy keeps an idle connection (Caddy: two minutes), so that the server never closes it first.
  keepAliveTimeout: 130_000,
  // Node's default is to check the time limits every 30 s.
  http: { headersTimeout: headersTimeoutMs, connectionsCheckingInterval: 5_000 },
};

function createServer(log: FastifyBaseLogger | undefined, closeMs: number): Server {
  const connections = new Connections({ most: mostConnections, closeMs });
  const server = Fastify({
    ...limits,
    ...(log && { loggerInstance: log }),
    genReqId: chooseRequestId,
    return503OnClosing: false,
    // Caddy on this machine says who asks, and by which scheme; anybody else may say what they like.
    trustProxy: "loopback",
    logController: new LogController({ disableRequestLogging: true }),
    // These keep Fastify from loading Ajv and fast-json-stringify, which takes 60 ms of every recovery.
    schemaController: { compilersFactory: { buildValidator: refuseFactory, buildSerializer: refuseFactory } },
    frameworkErrors: answerFailure,
    clientErrorHandler: (error, socket) => answerParserError(error, socket, connections),
  }).withTypeProvider<TypeBoxTypeProvider>();
  server.setValidatorCompiler(compileValidator);
  // Response schemas only give types and the OpenAPI document. A check here would turn a committed write into a 500.
  server.setSerializerCompiler(() => (answer) => JSON.stringify(answer));
  connections.follow(server.server);
  server.addHook("preClose", (done) => {
    connections.stop();
    done();
  });
  return server;
}

function unmeasured(): { freeBytes: number; totalBytes: number } {
  return { freeBytes: Number.NaN, totalBytes: Number.NaN };
}

function refuseFactory(): never {
  throw new Error("Fastify asked for a compiler that is not loaded");
}

/** Uses the caller's X-Request-Id when it is short and harmless in a log, and makes one otherwise. */
function chooseRequestId({ headers }: Pick<IncomingMessage, "headers">): string {
  const given = headers["x-request-id"];
  return typeof given === "string" && /^[\w.:-]{1,100}$/.test(given) ? given : randomUUID();
}

/** Logs one line for each answered request: who asked, the owner of its token, the path without the query string, no headers. */
function logRequest(request: FastifyRequest, reply: FastifyReply, done: () => void): void {
  const [path] = request.url.split("?", 1);
  const durationMs = Math.round(reply.elapsedTime * 10) / 10;
  const principal = request.principal ?? undefined;
  request.log.info(
    { method: request.method, path, client: request.ip, principal, status: reply.statusCode, durationMs },
    "request answered",
  );
  done();
}
