import { Type, type TSchema } from "typebox";

import type { Reader } from "../database/reader.ts";
import type { Reading } from "../database/transaction.ts";
import { Problem } from "./problem.ts";

const defaultLimit = 50;

/** The query string of every list. `limit` is 1 to 1000 and stays text, because a query string has no numbers. */
export const pageQuery = {
  cursor: Type.Optional(Type.String()),
  limit: Type.Optional(Type.String({ pattern: "^(?:[1-9][0-9]{0,2}|1000)$" })),
};

/** The schema of a page, for the answers of a list. */
export function pageOf<Item extends TSchema>(item: Item) {
  const nextCursor = Type.Union([Type.String(), Type.Null()]);
  return Type.Object({ items: Type.Array(item), nextCursor }, { additionalProperties: false });
}

/** Part of a list in order of creation: at most `limit` rows after the id `after`. */
export type Slice = { after: string | undefined; limit: number };

/** One page in order of creation. `nextCursor` is null on the last one. */
export type Page<Item> = { items: Item[]; nextCursor: string | null };

type PageRequest<Item> = {
  list: string;
  query: { cursor?: string; limit?: string };
  select: (slice: Slice) => Reading<Item[]>;
};

/**
 * Reads one page. Rows added in the meantime come after the cursor, so a client that follows the cursors sees every row
 * once.
 */
export function readPage<Item extends { id: string }>(
  reader: Pick<Reader, "read">,
  page: PageRequest<Item>,
): Page<Item> {
  const limit = page.query.limit === undefined ? defaultLimit : Number(page.query.limit);
  const after = decodeCursor(page.list, page.query.cursor);
  // One extra row shows whether there is a next page.
  const rows = reader.read(page.select({ after, limit: limit + 1 }));
  const items = rows.slice(0, limit);
  const last = items.at(-1);
  const nextCursor = rows.length > limit && last !== undefined ? encodeCursor(page.list, last.id) : null;
  return { items, nextCursor };
}

const idShape = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/**
 * Encodes the place after the row `id` in a list. Clients must not interpret it. Ids that this product makes sort in
 * order of creation.
 */
export function encodeCursor(list: string, id: string): string {
  // Marked, so that made-up text never counts as an id of this product.
  const mark = idShape.test(id) ? ":" : "=";
  return Buffer.from(`${list}${mark}${id}`).toString("base64url");
}

/** Decodes a cursor of this list to the id. Throws Problem `invalid-cursor` (400) for anything else. */
export function decodeCursor(list: string, cursor: string | undefined): string | undefined {
  if (cursor === undefined) return undefined;
  const id = Buffer.from(cursor, "base64url")
    .toString()
    .slice(list.length + 1);
  // Encode again and compare, because base64 decoding accepts almost anything.
  if (id !== "" && encodeCursor(list, id) === cursor) return id;
  throw new Problem(400, "invalid-cursor", "The cursor is not one that this list gave out; start again without it.");
}

/** The path parameters of a route with `:id`. */
export const IdParams = Type.Object({ id: Type.String() });

/** Returns the thing if it exists. Throws Problem `not-found` (404) otherwise. */
export function found<Thing>(thing: Thing | undefined, what: string): Thing {
  if (thing !== undefined) return thing;
  throw new Problem(404, "not-found", `There is no ${what}.`);
}
