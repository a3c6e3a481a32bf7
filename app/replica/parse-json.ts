import type { Static, TSchema } from "typebox";
import { Check, Errors } from "typebox/value";

/** A file or an object does not have its expected content: it is damaged, or something else answers in its place. */
export class ShapeError extends Error {
  override readonly name = "ShapeError";
  /** The file or object. */
  readonly source: string;

  constructor(source: string, fault: string, cause?: unknown) {
    super(`${source} ${fault}`, { cause });
    this.source = source;
  }
}

/** Parses JSON from a file or the bucket and checks its shape. `source` names it in the ShapeError. */
export function parseJson<Schema extends TSchema>(schema: Schema, text: string, source: string): Static<Schema> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new ShapeError(source, "is not JSON: it is damaged, or something else answers in its place", error);
  }
  if (Check(schema, value)) return value;
  const faults = [...Errors(schema, value)].map((fault) => `${fault.instancePath || "/"} ${fault.message}`);
  throw new ShapeError(source, `does not have the expected shape: ${faults.join("; ")}`);
}
