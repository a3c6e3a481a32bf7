import type { FastifySchemaValidationError } from "fastify/types/schema.js";
import { IsArray, IsObject, type TSchema } from "typebox";

/** How many unknown keys an object may have before they are no longer told one by one; also how many are then told. */
export const listedFaultsLimit = 20;

/**
 * Finds the first array that is longer than its schema allows, or object with too many unknown keys, before anything
 * behind it is validated. So a large body of small faults costs no more than counting them.
 */
export function findExcess(schema: TSchema, value: unknown, path = ""): FastifySchemaValidationError | undefined {
  if (IsArray(schema) && Array.isArray(value)) {
    const limit = "maxItems" in schema ? Number(schema.maxItems) : Infinity;
    if (value.length > limit) return tooManyItems(path, limit);
    return findFirst(value.entries(), (item, index) => findExcess(schema.items, item, `${path}/${index}`));
  }
  if (!IsObject(schema) || !isRecord(value)) return undefined;
  if ("additionalProperties" in schema && schema.additionalProperties === false) {
    const unknown = listUnknownKeys(schema.properties, value);
    if (unknown.length >= listedFaultsLimit) return tooManyKeys(path, unknown);
  }
  const properties = Object.entries(schema.properties);
  return findFirst(properties, (property, name) =>
    Object.hasOwn(value, name) ? findExcess(property, value[name], `${path}/${name}`) : undefined,
  );
}

function findFirst<Key, Item, Found>(
  entries: Iterable<[Key, Item]>,
  find: (item: Item, key: Key) => Found | undefined,
): Found | undefined {
  for (const [key, item] of entries) {
    const found = find(item, key);
    if (found !== undefined) return found;
  }
  return undefined;
}

function listUnknownKeys(known: object, value: object): string[] {
  const unknown: string[] = [];
  for (const key in value) {
    if (!Object.hasOwn(known, key)) unknown.push(key);
    if (unknown.length >= listedFaultsLimit) return unknown;
  }
  return unknown;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function tooManyItems(instancePath: string, limit: number): FastifySchemaValidationError {
  const message = `must not have more than ${limit} items`;
  return { keyword: "maxItems", instancePath, schemaPath: "", params: { limit }, message };
}

function tooManyKeys(instancePath: string, additionalProperties: string[]): FastifySchemaValidationError {
  return { keyword: "additionalProperties", instancePath, schemaPath: "", params: { additionalProperties } };
}
