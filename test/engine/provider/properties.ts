import structs from "google-protobuf/google/protobuf/struct_pb.js";
import type { Struct } from "google-protobuf/google/protobuf/struct_pb.js";

export type Property = null | boolean | number | string | Property[] | Properties;
/** A resource's inputs or state, as they travel between the engine and a provider. */
export type Properties = { [name: string]: Property };

export function readStruct(struct: Struct | undefined): Properties {
  return struct === undefined ? {} : readProperties(struct.toJavaScript());
}

export function writeStruct(properties: Properties): Struct {
  return structs.Struct.fromJavaScript(properties);
}

/** The text at a path such as `rules.0.port`. Throws when there is none. */
export function textAt(properties: Properties, path: string): string {
  const found = propertyAt(properties, path);
  if (typeof found === "string") return found;
  throw new Error(`property ${path} must be a text (got ${JSON.stringify(found)})`);
}

/** The text at a path, or null when nothing is there. */
export function optionalTextAt(properties: Properties, path: string): string | null {
  return propertyAt(properties, path) === null ? null : textAt(properties, path);
}

/** The property at a path, or null when nothing is there. */
export function propertyAt(properties: Properties, path: string): Property {
  let found: Property = properties;
  for (const step of path.split(".")) {
    if (found === null || typeof found !== "object") return null;
    found = (Array.isArray(found) ? found[Number(step)] : found[step]) ?? null;
  }
  return found;
}

/** Parses what came as `unknown` but is known to be JSON of an object. */
export function readProperties(value: unknown): Properties {
  const property = readProperty(value);
  if (property === null || typeof property !== "object" || Array.isArray(property)) {
    throw new Error(`expected an object, got ${JSON.stringify(value)}`);
  }
  return property;
}

function readProperty(value: unknown): Property {
  if (value === null || typeof value === "boolean" || typeof value === "number" || typeof value === "string") {
    return value;
  }
  if (Array.isArray(value)) return value.map(readProperty);
  if (typeof value === "object") {
    const entries = Object.entries(value).filter(([, member]) => member !== undefined);
    return Object.fromEntries(entries.map(([name, member]) => [name, readProperty(member)]));
  }
  throw new Error(`${typeof value} is no property`);
}
