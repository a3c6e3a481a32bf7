import { randomUUID } from "node:crypto";

import { compileOnce, sqlBuilder } from "./sql.ts";
import { query, type Reading } from "./transaction.ts";

const tables = sqlBuilder<Record<string, { id: string }>>();

const ownShape = /^([0-9a-f]{8})-([0-9a-f]{4})-7([0-9a-f]{3})-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const ownPattern = "________-____-7___-____-____________";
const counterBits = 12n;
// The last block of ids: counting past it would overflow the digits of a UUID.
const overflowFrom = "ffffffff-ffff";
// The year 2100. Most random ids sort behind it.
const searchBefore = "03bb2cc3-d800";
const lookLimit = 100;

/**
 * Makes the id of a new row of the table, whose ids are in an indexed column `id`. Such ids sort in order of creation,
 * even when a new machine's clock is behind the old one's.
 */
export function* nextId(table: string, nowMs: number): Reading<string> {
  return followId(yield* readNewestId(table), nowMs);
}

/**
 * Makes a UUID of version 7 (RFC 9562, section 6.2, method 1) that sorts after `newest`, the greatest id of this shape
 * in its table. Ignores a `newest` that nextId did not make.
 */
export function followId(newest: string | undefined, nowMs: number): string {
  const now = BigInt(nowMs) << counterBits;
  const parts = newest !== undefined && newest < overflowFrom ? ownShape.exec(newest) : null;
  const afterNewest = parts === null ? 0n : BigInt(`0x${parts.slice(1).join("")}`) + 1n;
  const digits = (now > afterNewest ? now : afterNewest).toString(16).padStart(15, "0");
  const variantAndRandom = randomUUID().slice("00000000-0000-0000-".length);
  return `${digits.slice(0, 8)}-${digits.slice(8, 12)}-7${digits.slice(12)}-${variantAndRandom}`;
}

/**
 * Reads the greatest id that nextId made. Skips ids that somebody else gave to rows. After 100 of those it searches
 * below the year 2100 only, so that a million random ids do not slow down every write.
 */
function* readNewestId(table: string): Reading<string | undefined> {
  const [last] = yield* query(selectLast(table)());
  if (last === undefined || isOwn(last)) return last?.id;
  const lastOnes = yield* query(selectIds(table).limit(lookLimit));
  return lastOnes.find(isOwn)?.id ?? (yield* searchNewestId(table));
}

function selectIds(table: string) {
  return tables.selectFrom(table).select("id").orderBy("id", "desc");
}

// By table, of which a product has few.
const lastOf = new Map<string, () => ReturnType<typeof selectIds>>();

function selectLast(table: string): () => ReturnType<typeof selectIds> {
  let select = lastOf.get(table);
  if (select === undefined) lastOf.set(table, (select = compileOnce(() => selectIds(table).limit(1))));
  return select;
}

function* searchNewestId(table: string): Reading<string | undefined> {
  let before = searchBefore;
  while (true) {
    const ids = tables.selectFrom(table).select("id").where("id", "like", ownPattern).where("id", "<", before);
    const [row] = yield* query(ids.orderBy("id", "desc").limit(1));
    // The GLOB pattern accepts any letter as a digit, so check again.
    if (row === undefined || isOwn(row)) return row?.id;
    before = row.id;
  }
}

function isOwn({ id }: { id: string }): boolean {
  return id < overflowFrom && ownShape.test(id);
}
