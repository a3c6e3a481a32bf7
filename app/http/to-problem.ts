import type { FastifyError } from "fastify";

import { CommandRejected, WriteOutcomeUnknown, WriteRefused } from "../database/write-outcome.ts";
import { Problem } from "./problem.ts";
import { listFieldFaults } from "./schema-validator.ts";

/** Turns whatever a route threw into the answer. What nobody foresaw becomes a 500 that tells nothing of the inside. */
export function toProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof CommandRejected) return new Problem(error.status, error.code, error.detail);
  if (error instanceof WriteRefused) return refusedProblem(error);
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

function unknownOutcomeProblem(cause: WriteOutcomeUnknown): Problem {
  const detail =
    "The write is there once and unaltered, or not at all. Repeat it with the same Idempotency-Key; if it had none, read before you repeat it.";
  return new Problem(500, "outcome-unknown", detail, { cause });
}

function internalProblem(cause: unknown): Problem {
  return new Problem(500, "internal-error", "Something failed inside the server. Its log holds the cause.", { cause });
}

// Fastify's own refusals of a request, by its error codes; what is not here answers by its status.
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
