import type { SqlValue } from "../database/read-by-hand.ts";

const mostLength = 120;
const mostBytes = 16;

/** A value of the database in one cell of a table: on one line, without anything that a terminal would obey. */
export function renderValue(value: SqlValue): string {
  if (value === null) return "NULL";
  if (value instanceof Uint8Array) return renderBytes(value);
  const text = String(value).replaceAll(/\p{Cc}/gu, escape);
  return text.length > mostLength ? `${text.slice(0, mostLength)}…` : text;
}

/** The same as JSON knows it: an integer too great for its numbers, and bytes, are texts. */
export function toJsonValue(value: SqlValue): null | number | string {
  if (value instanceof Uint8Array) return `x'${Buffer.from(value).toString("hex")}'`;
  if (typeof value !== "bigint") return value;
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : String(value);
}

function renderBytes(bytes: Uint8Array): string {
  const shown = Buffer.from(bytes.subarray(0, mostBytes)).toString("hex");
  return bytes.length > mostBytes ? `x'${shown}…' (${bytes.length} bytes)` : `x'${shown}'`;
}

const known: Readonly<Record<string, string>> = { "\t": String.raw`\t`, "\n": String.raw`\n`, "\r": String.raw`\r` };

function escape(control: string): string {
  return known[control] ?? String.raw`\x${(control.codePointAt(0) ?? 0).toString(16).padStart(2, "0")}`;
}
