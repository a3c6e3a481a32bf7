import type { FastifyReply, FastifyRequest } from "fastify";

export const problemMediaType = "application/problem+json";

/** One field that a request got wrong; `pointer` is a JSON pointer (RFC 6901) into `in`. */
export type FieldFault = { in: string; pointer: string; message: string };

type ProblemExtras = { headers?: Record<string, string>; errors?: FieldFault[]; cause?: unknown };

/**
 * An error that knows its answer. Its `detail` is for the client: no internals, and the next step where there is one.
 */
export class Problem extends Error {
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  readonly headers: Record<string, string>;
  readonly errors: FieldFault[] | undefined;

  constructor(status: number, code: string, detail: string, extras: ProblemExtras = {}) {
    super(`${code}: ${detail}`, { cause: extras.cause });
    this.name = "Problem";
    this.status = status;
    this.code = code;
    this.detail = detail;
    this.headers = extras.headers ?? {};
    this.errors = extras.errors;
  }
}

/** Renders the body of an error answer (RFC 9457). `instance` is the request id, by which the log is searched. */
export function renderProblem({ status, code, detail, errors }: Problem, instance: string): string {
  const title = code.charAt(0).toUpperCase() + code.slice(1).replaceAll("-", " ");
  return JSON.stringify({ type: `urn:lifeboat:problem:${code}`, title, status, detail, instance, errors });
}

/** Answers a request with a problem. */
export function sendProblem(problem: Problem, request: FastifyRequest, reply: FastifyReply): void {
  // Nothing to wait for: Fastify sends by itself, and a broken connection has nobody to tell.
  void reply
    .code(problem.status)
    .headers(problem.headers)
    .header("request-id", request.id)
    .type(problemMediaType)
    .send(renderProblem(problem, request.id));
}
