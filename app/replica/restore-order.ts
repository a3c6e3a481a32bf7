import { rmSync } from "node:fs";

import { Type, type Static } from "typebox";

import { readOptionalFile, writeDurably } from "../durable-file.ts";
import { parseJson } from "./parse-json.ts";

const txid = Type.String({ pattern: "^[0-9a-f]{16}$" });

const RestoreOrderSchema = Type.Object({
  nonce: Type.String(),
  run: Type.String(),
  stoppedAt: txid,
  epoch: Type.String(),
  txid,
});

/**
 * Lies beside the database, and tells the next boot to restore an earlier state: that of `epoch` at `txid`. It is worth
 * something only for the very stop after which it was written: while head still has this nonce and run, and the mark the
 * clean stop at TXID `stoppedAt`. So no write that came after it can be dropped by it.
 */
export type RestoreOrder = Static<typeof RestoreOrderSchema>;

/** Reads the order. Null when there is none. Throws ShapeError when the file is damaged. */
export function readRestoreOrder(path: string): RestoreOrder | null {
  const text = readOptionalFile(path);
  return text === null ? null : parseJson(RestoreOrderSchema, text, path);
}

/** Writes the order, and fsyncs file and directory before it returns. */
export function writeRestoreOrder(path: string, order: RestoreOrder): void {
  writeDurably(path, JSON.stringify(order, null, 2));
}

/** Takes the order back. */
export function removeRestoreOrder(path: string): void {
  rmSync(path, { force: true });
}
