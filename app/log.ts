import { pino } from "pino";
import type { DestinationStream, Logger } from "pino";

/** What every part of the app logs with. Pino's logger is one. */
export type Log = {
  info: (fields: FaultlessFields, message: string) => void;
  warn: (fields: object, message: string) => void;
  error: (fields: object, message: string) => void;
};

/** A message about a fault may not be `info`, so that whoever watches the log by level sees it. */
type FaultlessFields = Record<string, unknown> & { cause?: never; err?: never };

/**
 * Opens the process's log: JSON lines on stdout, or on `destination`. Rules for the whole app: fields come first, then
 * a constant message, by which people search. A fault is a `warn` when the process goes on as promised, an `error` when
 * somebody must act, and `fatal` when it ends the process. Its field is `cause` for words and `err` for an Error with
 * its stack. Everything else is `info`. Requests are logged by method and path, errors by message and stack, never with
 * headers, bodies or additional fields of an error. `censor` is a second line of defence.
 */
export function openLog(level: string, destination?: DestinationStream): Logger {
  const options = {
    level,
    formatters: { log: censorFields },
    serializers: { ...censorChildFields, err: describeError },
  };
  return destination === undefined ? pino(options) : pino(options, destination);
}

const secretNames: ReadonlySet<string> = new Set([
  "authorization",
  "cookie",
  "idempotency-key",
  "secretAccessKey",
  "token",
]);
const censoredText = "[secret]";
const censoredDepth = 5;

// The fields of a child logger bypass the formatter of lines.
const censorChildFields = Object.fromEntries([...secretNames].map((name) => [name, () => censoredText]));

function censorFields(fields: Record<string, unknown>): Record<string, unknown> {
  return censor(fields, censoredDepth);
}

// Fast path for lines without objects, which are nearly all: only the names are checked. A copy is made only to censor.
function censor(fields: Record<string, unknown>, depth: number): Record<string, unknown> {
  let copy: Record<string, unknown> | undefined;
  for (const name in fields) {
    const value = fields[name];
    const shown = secretNames.has(name) ? censoredText : censorValue(value, depth - 1);
    if (shown !== value) copy = { ...(copy ?? fields), [name]: shown };
  }
  return copy ?? fields;
}

function censorValue(value: unknown, depth: number): unknown {
  return depth > 0 && isPlainObject(value) ? censor(value, depth) : value;
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

type ErrorDescription = { type: string; message: string; code: unknown; stack: string | undefined; cause: unknown };

function describeError(error: unknown): ErrorDescription | string {
  if (!(error instanceof Error)) return String(error);
  const { name, message, stack, cause } = error;
  const code = "code" in error ? error.code : undefined;
  return { type: name, message, code, stack, cause: cause === undefined ? undefined : describeError(cause) };
}
