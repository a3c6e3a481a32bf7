import type { FastifyReply, FastifyRequest } from "fastify";

import { Problem, sendProblem } from "./problem.ts";
import { toProblem } from "./to-problem.ts";

/** Answers a request that failed. Here errors stop: those that are ours to mend are logged, once. */
export function answerFailure(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
  const problem = toProblem(error);
  if (problem.status === 500) request.log.error({ err: error }, "request failed");
  sendProblem(problem, request, reply);
}

/** Answers a path or a method that no route takes. */
export function answerNoRoute(request: FastifyRequest, reply: FastifyReply): void {
  const problem = new Problem(404, "no-such-route", "Nothing is served with this method at this path.");
  sendProblem(problem, request, reply);
}
