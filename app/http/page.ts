import { Type, type TSchema } from "typebox";

import type { Reader } from "../database/reader.ts";
import type { Reading } from "../database/transaction.ts";
import { decodeCursor, encodeCursor } from "./cursor.ts";

const defaultLimit = 50;

/** The query string of every list. `limit` is 1 to 1000; it stays text, as the query string has no numbers. */
export const pageQuery = {
  cursor: Type.Optional(Type.String()),
  limit: Type.Optional(Type.String({ pattern: "^(?:[1-9][0-9]{0,2}|1000)$" })),
};

/** The schema of a page, for the answers of a list. */
export function pageOf<Item extends TSchema>(item: Item) {
  const nextCursor = Type.Union([Type.String(), Type.Null()]);
  return Type.Object({ items: Type.Array(item), nextCursor }, { additionalProperties: false });
}

/** A slice of a list in order of creation: at most `limit` rows that come after the id `after`. */
export type Slice = { after: string | undefined; limit: number };

/** One page in order of creation; `nextCursor` is null on the last one. */
export type Page<Item> = { items: Item[]; nextCursor: string | null };

type PageRequest<Item> = {
  list: string;
  query: { cursor?: string; limit?: string };
  select: (slice: Slice) => Reading<Item[]>;
};

/** Reads one page. Rows that are added meanwhile come after the cursor, so a walk sees every row once. */
export function readPage<Item extends { id: string }>(
  reader: Pick<Reader, "read">,
  page: PageRequest<Item>,
): Page<Item> {
  const limit = page.query.limit === undefined ? defaultLimit : Number(page.query.limit);
  const after = decodeCursor(page.list, page.query.cursor);
  // One row more than asked for tells whether there is a next page.
  const rows = reader.read(page.select({ after, limit: limit + 1 }));
  const items = rows.slice(0, limit);
  const last = items.at(-1);
  const nextCursor = rows.length > limit && last !== undefined ? encodeCursor(page.list, last.id) : null;
  return { items, nextCursor };
}
