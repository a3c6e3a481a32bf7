import type { FastifyError, FastifySchemaCompiler } from "fastify";
import type { TSchema } from "typebox";
import { Compile } from "typebox/compile";

import { findExcess, listedFaultsLimit } from "./find-excess.ts";
import type { FieldFault } from "./problem.ts";

/**
 * Compiles a route's schema into its check, without any conversion: "5" is no number, and an unknown key is an error.
 * Fastify's own validator would convert and drop silently, and costs 60 ms more at start.
 */
export const compileValidator: FastifySchemaCompiler<TSchema> = ({ schema }) => {
  const validator = Compile(schema);
  return (value: unknown) => {
    const excess = findExcess(schema, value);
    if (excess !== undefined) return { error: [excess] };
    return validator.Check(value) ? { value } : { error: validator.Errors(value) };
  };
};

/** Lists the fields that failed, at most 20, with one entry for each key that is missing or unknown. */
export function listFieldFaults({ validation = [], validationContext = "body" }: FastifyError): FieldFault[] {
  const faults = validation.flatMap(({ keyword, instancePath, params, message = "is wrong" }) => {
    // A refused key is reported twice: as a key too many, and as a value that fits no schema.
    if (keyword === "boolean") return [];
    const keys = [params["requiredProperties"], params["additionalProperties"]].find(Array.isArray) ?? [];
    const pointers =
      keys.length === 0 ? [instancePath] : keys.map((key) => `${instancePath}/${escapePointer(String(key))}`);
    return pointers.map((pointer) => ({ in: validationContext, pointer, message: describeFault(keyword, message) }));
  });
  return faults.slice(0, listedFaultsLimit);
}

function describeFault(keyword: string, message: string): string {
  if (keyword === "required") return "is missing";
  return keyword === "additionalProperties" ? "is unknown" : message;
}

function escapePointer(key: string): string {
  return key.replaceAll("~", "~0").replaceAll("/", "~1");
}
