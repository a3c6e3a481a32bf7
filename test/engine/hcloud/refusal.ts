import type { Static, TSchema } from "typebox";
import { Value } from "typebox/value";

/** An answer of the API that is an error: `{ error: { code, message } }`, as documented at docs.hetzner.cloud, "Errors". */
export class Refusal extends Error {
  readonly status: number;
  readonly code: string;
  constructor(status: number, code: string, message: string) {
    super(message);
    this.name = "Refusal";
    this.status = status;
    this.code = code;
  }
}

export function invalidInput(message: string): Refusal {
  return new Refusal(422, "invalid_input", message);
}

/** Parses a request's body. Throws a Refusal that names the fields, as the API does. */
export function readBody<Schema extends TSchema>(schema: Schema, body: unknown): Static<Schema> {
  if (Value.Check(schema, body)) return body;
  const faults = Value.Errors(schema, body).map((error) => `${error.instancePath || "/"} ${error.message}`);
  throw invalidInput(`invalid input: ${faults.join("; ")}`);
}
