import type { Chain } from "../../app/replica/chain.ts";

/**
 * A database is the string of its commits: "ab" is commit a, then b. Its sequence is its length, its token the last
 * letter.
 */
export type Content = string;

/**
 * Litestream's files of one epoch, index = TXID - 1: "=ab" is a base, "+c" an increment, "" deleted, "?" (only on a
 * volume) not kept here.
 */
export type Files = readonly string[];

/**
 * What a restore of these files gives, up to a TXID where one is named; null when there is no base or a file behind it
 * is gone.
 */
export function restoreContent(files: Files, txid: number | null = null): Content | null {
  const upTo = filesUpTo(files, txid);
  const base = findBase(upTo);
  if (base < 0) return null;
  const used = upTo.slice(base);
  return used.includes("") ? null : used.map((file) => file.slice(1)).join("");
}

/** The files as if nothing had come after a TXID. */
export function filesUpTo(files: Files, txid: number | null): Files {
  return txid === null ? files : files.slice(0, txid);
}

/** The same judgement that app/replica/chain.ts makes from a listing. */
export function chainOf(files: Files): Chain {
  if (files.every((file) => file === "")) return { state: "empty" };
  const base = findBase(files);
  const newestTxid = String(files.findLastIndex((file) => file !== "") + 1);
  if (base < 0) return { state: "no-base", missing: "a base", newestTxid };
  if (files.includes("", base)) return { state: "broken", missing: `TXID ${files.indexOf("", base) + 1}`, newestTxid };
  return { state: "whole", newestTxid, files: files.length - base };
}

/** Uploads overwrite: two machines that write under one prefix destroy each other's files. */
export function putFile(files: Files, index: number, file: string): Files {
  const padding = Array.from({ length: index - files.length }, () => "");
  return [...files.slice(0, index), ...padding, file, ...files.slice(index + 1)];
}

/** The base that a restore would start from is deleted, and everything before it. Null when there is none. */
export function withoutBase(files: Files): Files | null {
  const base = findBase(files);
  return base < 0 ? null : files.map((file, index) => (index <= base ? "" : file));
}

/** The first increment is deleted that has a later file behind it. Null when there is none. */
export function withoutIncrement(files: Files): Files | null {
  const victim = findBase(files) + 1;
  return victim === 0 || victim >= files.length - 1 ? null : files.with(victim, "");
}

function findBase(files: Files): number {
  return files.findLastIndex((file) => file.startsWith("="));
}
