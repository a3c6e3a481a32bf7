import { hash } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";

import type { FastifyRequest } from "fastify";

import type { Idempotency } from "../database/idempotency.ts";
import type { Durability } from "../database/write-outcome.ts";
import { Problem } from "./problem.ts";

/** Reads the Durability header, or returns the default. Throws Problem `invalid-durability` (400). */
export function readDurability(headers: IncomingHttpHeaders, byDefault: Durability): Durability {
  const value = headers["durability"];
  if (value === undefined) return byDefault;
  if (value === "commit" || value === "disk" || value === "bucket") return value;
  throw new Problem(400, "invalid-durability", "Durability must be commit, disk or bucket.");
}

/** Reads the Idempotency-Key header, which is optional. Throws Problem `invalid-idempotency-key` (400). */
export function readIdempotency(request: FastifyRequest): Idempotency | undefined {
  const key = request.headers["idempotency-key"];
  if (key === undefined) return undefined;
  if (typeof key === "string" && /^[\x21-\x7e]{8,200}$/.test(key)) {
    const { principal } = request;
    return { key, fingerprint: fingerprintOf(request), ...(principal !== null && { principal }) };
  }
  throw new Problem(400, "invalid-idempotency-key", "Idempotency-Key must be 8 to 200 printable ASCII characters.");
}

function fingerprintOf({ method, url, body }: FastifyRequest): string {
  const what = JSON.stringify([method, url, body ?? null], sortKeys);
  return hash("sha256", what, "hex");
}

// The order of keys and white space do not make a different write.
function sortKeys(_key: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).toSorted(([left], [right]) => (left < right ? -1 : 1)));
}
