import type { FastifyReply, FastifyRequest } from "fastify";

/** Logs one line for an answered request: the path without its query string, and no header. */
export function logRequest(request: FastifyRequest, reply: FastifyReply, done: () => void): void {
  const [path] = request.url.split("?", 1);
  const durationMs = Math.round(reply.elapsedTime * 10) / 10;
  request.log.info({ method: request.method, path, status: reply.statusCode, durationMs }, "request answered");
  done();
}
