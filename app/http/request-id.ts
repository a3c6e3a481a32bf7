import { randomUUID } from "node:crypto";
import type { IncomingMessage } from "node:http";

/** Takes over a caller's X-Request-Id when it is short and harmless in a log, and makes one otherwise. */
export function chooseRequestId({ headers }: Pick<IncomingMessage, "headers">): string {
  const given = headers["x-request-id"];
  return typeof given === "string" && /^[\w.:-]{1,100}$/.test(given) ? given : randomUUID();
}
