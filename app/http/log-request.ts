import type { FastifyReply, FastifyRequest } from "fastify";

/** Logs one line for an answered request: the path without its query string, and no header, but whose token it was. */
export function logRequest(request: FastifyRequest, reply: FastifyReply, done: () => void): void {
  const [path] = request.url.split("?", 1);
  const durationMs = Math.round(reply.elapsedTime * 10) / 10;
  const principal = request.principal ?? undefined;
  request.log.info(
    { method: request.method, path, principal, status: reply.statusCode, durationMs },
    "request answered",
  );
  done();
}
