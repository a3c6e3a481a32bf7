import type { FastifyReply, FastifyRequest, FastifyError } from "fastify";

import { ReportEnded } from "../database/report.ts";
import { CommandRejected, WriteOutcomeUnknown, WriteRefused } from "../database/write-outcome.ts";
import { listFieldFaults, type FieldFault } from "./schema-validator.ts";

export const problemMediaType = "application/problem+json";

type ProblemExtras = { headers?: Record<string, string>; errors?: FieldFault[]; cause?: unknown };

/**
 * An error that carries its HTTP answer. `detail` is for the client: no internals, and the next step where there is
 * one.
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

/**
 * For a request that is refused because the server comes up or ends just now: the header tells the proxy in front that
 * nothing was begun, so that it asks again by itself, whatever the method.
 */
export function notBegun(why: "starting" | "stopping", retryAfterSeconds: number): ProblemExtras {
  return { headers: { "retry-after": String(retryAfterSeconds), "lifeboat-not-begun": why } };
}

/** Renders the body of an error answer (RFC 9457). `instance` is the request id, by which the log is searched. */
export function renderProblem({ status, code, detail, errors }: Problem, instance: string): string {
  const title = code.charAt(0).toUpperCase() + code.slice(1).replaceAll("-", " ");
  return JSON.stringify({ type: `urn:lifeboat:problem:${code}`, title, status, detail, instance, errors });
}

/** Answers a request with a problem. */
function sendProblem(problem: Problem, request: FastifyRequest, reply: FastifyReply): void {
  // Not awaited: Fastify sends it, and on a broken connection nobody would get it.
  void reply
    .code(problem.status)
    .headers(problem.headers)
    .header("request-id", request.id)
    .type(problemMediaType)
    .send(renderProblem(problem, request.id));
}

/** Turns whatever a route threw into a problem. Unexpected errors become a 500 without internals. */
function toProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof CommandRejected) return new Problem(error.status, error.code, error.detail);
  if (error instanceof WriteRefused) return refusedProblem(error);
  if (error instanceof ReportEnded) return reportProblem(error);
  if (error instanceof WriteOutcomeUnknown) return unknownOutcomeProblem(error);
  if (isFastifyError(error)) return frameworkProblem(error);
  return internalProblem(error);
}

function refusedProblem({ reason, retryAfterSeconds }: WriteRefused): Problem {
  const detail = "This request wrote nothing. Repeat it after the time that Retry-After gives, in seconds.";
  return new Problem(503, reason, detail, {
    headers: { "retry-after": String(Math.max(1, Math.ceil(retryAfterSeconds))) },
  });
}

const reportRetrySeconds = "10";

function reportProblem(ended: ReportEnded): Problem {
  const { reason, detail } = ended;
  // Nothing was written, so the proxy may ask the next server.
  if (reason === "stopping") return new Problem(503, reason, detail, notBegun("stopping", 1));
  const headers = ended.hasNotBegun ? { "retry-after": reportRetrySeconds } : {};
  return new Problem(503, reason, detail, { headers });
}

function unknownOutcomeProblem(cause: WriteOutcomeUnknown): Problem {
  const detail =
    "The write is there once and unaltered, or not at all. Repeat it with the same Idempotency-Key; if it had none, read before you repeat it.";
  return new Problem(500, "outcome-unknown", detail, { cause });
}

function internalProblem(cause: unknown): Problem {
  return new Problem(500, "internal-error", "Something failed inside the server. Its log holds the cause.", { cause });
}

// Fastify's own refusals by error code. Others answer by their status.
const frameworkRefusals: Record<string, [code: string, detail: string]> = {
  FST_ERR_CTP_INVALID_JSON_BODY: ["malformed-json", "The body is not JSON."],
  FST_ERR_CTP_EMPTY_JSON_BODY: ["malformed-json", "The body is empty, though its content type is JSON."],
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: ["malformed-request", "The body is not as long as Content-Length says."],
  FST_ERR_CTP_BODY_TOO_LARGE: ["body-too-large", "The body is larger than this server accepts."],
  FST_ERR_CTP_INVALID_MEDIA_TYPE: ["unsupported-media-type", "Send the body as application/json."],
  FST_ERR_BAD_URL: ["malformed-request", "The URL is not percent-encoded correctly."],
  FST_ERR_MAX_PARAM_LENGTH: ["uri-too-long", "A part of the URL is too long."],
};

function frameworkProblem(error: FastifyError): Problem {
  if (error.validation) {
    const detail = "The request does not have the expected shape; errors lists the fields.";
    return new Problem(400, "invalid-request", detail, { errors: listFieldFaults(error) });
  }
  const status = error.statusCode ?? 500;
  if (status >= 500) return internalProblem(error);
  const [code, detail] = frameworkRefusals[error.code] ?? ["malformed-request", "The request cannot be read."];
  return new Problem(status, code, detail);
}

function isFastifyError(error: unknown): error is FastifyError {
  return error instanceof Error && "statusCode" in error && typeof error.statusCode === "number";
}

/** Answers a request that failed. Server faults are logged here, and only here. */
export function answerFailure(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
  const problem = toProblem(error);
  if (problem.status === 500) request.log.error({ err: error }, "request failed");
  sendProblem(problem, request, reply);
}

/** Answers a path or a method that has no route. */
export function answerNoRoute(request: FastifyRequest, reply: FastifyReply): void {
  const problem = new Problem(404, "no-such-route", "Nothing is served with this method at this path.");
  sendProblem(problem, request, reply);
}
