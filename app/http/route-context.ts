import type { IncomingMessage, ServerResponse } from "node:http";

import type { TypeBoxTypeProvider } from "@fastify/type-provider-typebox";
import type { FastifyBaseLogger, FastifyInstance, RawServerDefault } from "fastify";

import type { Reader } from "../database/reader.ts";
import type { AnswerWrite } from "./answer-write.ts";

/** The server with its schemas as types: `request.body` is what the route's schema says. */
export type Server = FastifyInstance<
  RawServerDefault,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>;

/** What the product's routes work with. */
export type RouteContext = { reader: Pick<Reader, "read">; answerWrite: AnswerWrite };
