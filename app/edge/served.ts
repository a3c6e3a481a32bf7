import { type Static, Type } from "typebox";

import { readOptionalFile, writeDurably } from "../durable-file.ts";
import { parseJson, ShapeError } from "../replica/parse-json.ts";
import type { Domain } from "./settings.ts";

const ServedSchema = Type.Object({
  format: Type.Literal(1),
  mode: Type.Union([Type.Literal("none"), Type.Literal("ip"), Type.Literal("name")]),
  /** Null unless the mode is name. */
  name: Type.Union([Type.String(), Type.Null()]),
  www: Type.Boolean(),
});

/** What was wanted last and is served with its certificate. It goes on being served until something else is. */
export type Served = Static<typeof ServedSchema>;

/** What is served once the wanted domain has its certificate. */
export function describeServed(domain: Domain): Served {
  const isName = domain.mode === "name";
  return { format: 1, mode: domain.mode, name: isName ? domain.name : null, www: isName && domain.www };
}

/** Null on a machine that has served nothing yet. So does what is damaged count: without it Caddy serves all the same. */
export function readServed(path: string): Served | null {
  const text = readOptionalFile(path);
  if (text === null) return null;
  try {
    return parseJson(ServedSchema, text, path);
  } catch (error) {
    if (error instanceof ShapeError) return null;
    throw error;
  }
}

/** Writes it unless it is there already. */
export function writeServed(path: string, served: Served): void {
  const text = `${JSON.stringify(served)}\n`;
  if (readOptionalFile(path) !== text) writeDurably(path, text);
}
