import { Problem } from "./problem.ts";

const idShape = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/**
 * Names the place in a list after the row `id`, whoever gave it that id. Opaque to clients; ids that this product gives
 * sort in order of creation.
 */
export function encodeCursor(list: string, id: string): string {
  // Marked, so that no text that somebody made up passes for an id that this product gave.
  const mark = idShape.test(id) ? ":" : "=";
  return Buffer.from(`${list}${mark}${id}`).toString("base64url");
}

/** Reads a cursor of this list back to the id. Throws Problem `invalid-cursor` (400) for anything else. */
export function decodeCursor(list: string, cursor: string | undefined): string | undefined {
  if (cursor === undefined) return undefined;
  const id = Buffer.from(cursor, "base64url")
    .toString()
    .slice(list.length + 1);
  // Compared after encoding again, since decoding base64 forgives almost anything.
  if (id !== "" && encodeCursor(list, id) === cursor) return id;
  throw new Problem(400, "invalid-cursor", "The cursor is not one that this list gave out; start again without it.");
}
