import type { TypeBoxTypeProvider } from "@fastify/type-provider-typebox";
import Fastify, { LogController } from "fastify";
import type { FastifyBaseLogger } from "fastify";

import { answerFailure, answerNoRoute } from "./answer-failure.ts";
import { answerParserError, AnswersUnderWay } from "./answer-parser-error.ts";
import { createAnswerWrite } from "./answer-write.ts";
import type { WriteExecutor } from "./answer-write.ts";
import { addCustomerRoutes } from "./customer-routes.ts";
import { guardRequests } from "./guard-requests.ts";
import { addHealthRoutes } from "./health-routes.ts";
import type { WriterHealth } from "./health-routes.ts";
import { addInvoiceRoutes } from "./invoice-routes.ts";
import { logRequest } from "./log-request.ts";
import type { Replication } from "./replication.ts";
import { chooseRequestId } from "./request-id.ts";
import type { RouteContext, Server } from "./route-context.ts";
import { compileValidator } from "./schema-validator.ts";
import type { ServerConfig } from "./server-config.ts";

export type ServerOptions = {
  writer: WriteExecutor & WriterHealth;
  reader: RouteContext["reader"];
  replication: Replication;
  config: ServerConfig;
  log?: FastifyBaseLogger;
};

/**
 * Builds the HTTP server; it listens when the caller says so. `close()` answers what is under way and takes no more.
 */
export function buildServer({ writer, reader, replication, config, log }: ServerOptions): Server {
  const server = createServer(log);
  // Only JSON is understood; Fastify would take text/plain too.
  server.removeContentTypeParser("text/plain");
  server.setErrorHandler(answerFailure);
  server.setNotFoundHandler(answerNoRoute);
  guardRequests(server, config.tokenDigests);
  server.addHook("onResponse", logRequest);
  const answerWrite = createAnswerWrite({ writer, replication, config });
  addHealthRoutes(server, { writer, replication });
  addCustomerRoutes(server, { reader, answerWrite });
  addInvoiceRoutes(server, { reader, answerWrite });
  return server;
}

const headersTimeoutMs = 15_000;
const limits = {
  bodyLimit: 1024 * 1024,
  requestTimeout: 30_000,
  connectionTimeout: 60_000,
  // Longer than a proxy keeps an idle connection (Caddy: two minutes), so that it is never the server who hangs up.
  keepAliveTimeout: 130_000,
  http: { headersTimeout: headersTimeoutMs },
};

function createServer(log: FastifyBaseLogger | undefined): Server {
  const underWay = new AnswersUnderWay();
  const server = Fastify({
    ...limits,
    ...(log && { loggerInstance: log }),
    genReqId: chooseRequestId,
    return503OnClosing: false,
    logController: new LogController({ disableRequestLogging: true }),
    // With factories of its own Fastify does not load Ajv and fast-json-stringify: 60 ms of the recovery time.
    schemaController: { compilersFactory: { buildValidator: refuseFactory, buildSerializer: refuseFactory } },
    frameworkErrors: answerFailure,
    clientErrorHandler: (error, socket) => answerParserError(error, socket, underWay),
  }).withTypeProvider<TypeBoxTypeProvider>();
  server.setValidatorCompiler(compileValidator);
  underWay.follow(server);
  return server;
}

function refuseFactory(): never {
  throw new Error(
    "Fastify asked for a compiler that is not loaded; a response schema needs setSerializerCompiler first",
  );
}
