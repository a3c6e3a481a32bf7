import { pino } from "pino";
import type { DestinationStream, Logger } from "pino";

/**
 * Opens the process's log: JSON lines on stdout, or on `destination`. Requests are logged by method and path, errors by
 * message and stack, never with headers, bodies or fields that somebody hung on an error; `redact` is the second fence.
 */
export function openLog(level: string, destination?: DestinationStream): Logger {
  const options = { level, redact: { paths: secretPaths, censor: "[secret]" }, serializers: { err: describeError } };
  return destination === undefined ? pino(options) : pino(options, destination);
}

const secretNames = ["authorization", "cookie", "idempotency-key", "secretAccessKey", "token"];
const secretPaths = secretNames.flatMap((name) => [`["${name}"]`, `*["${name}"]`, `*.headers["${name}"]`]);

type ErrorDescription = { type: string; message: string; code: unknown; stack: string | undefined; cause: unknown };

function describeError(error: unknown): ErrorDescription | string {
  if (!(error instanceof Error)) return String(error);
  const { name, message, stack, cause } = error;
  const code = "code" in error ? error.code : undefined;
  return { type: name, message, code, stack, cause: cause === undefined ? undefined : describeError(cause) };
}
