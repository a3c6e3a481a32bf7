import { chownSync, existsSync, rmSync, statSync } from "node:fs";

import { Type, type Static } from "typebox";

import { readOptionalFile, sizeOf, writeDurably } from "../durable-file.ts";
import { type Head, runOf } from "./head.ts";
import type { MachineFiles } from "./machine.ts";
import { type CleanStop, readMark, sawRun } from "./mark.ts";
import { parseJson } from "./parse-json.ts";

const txid = Type.String({ pattern: "^[0-9a-f]{16}$" });

const RestoreOrderSchema = Type.Object({
  nonce: Type.String(),
  run: Type.String(),
  stoppedAt: txid,
  epoch: Type.String(),
  txid,
  incomingBytes: Type.Optional(Type.Integer()),
});

/**
 * Lies beside the database, and tells the next boot to restore an earlier state: that of `epoch` at `txid`. With
 * `incomingBytes` it is to serve the file `incoming` of that size instead, and the state is the one to fall back to. It is worth
 * something only for the very stop after which it was written: while head still has this nonce and run, and the mark the
 * clean stop at TXID `stoppedAt`. So no write that came after it can be dropped by it.
 */
export type RestoreOrder = Static<typeof RestoreOrderSchema>;

/** Reads the order. Null when there is none. Throws ShapeError when the file is damaged. */
export function readRestoreOrder(path: string): RestoreOrder | null {
  const text = readOptionalFile(path);
  return text === null ? null : parseJson(RestoreOrderSchema, text, path);
}

/** The disk is not in a state in which an earlier one may replace it. The message says why, and what to do. */
export class OrderRefused extends Error {
  override readonly name = "OrderRefused";
}

/**
 * Orders the state of `epoch` at `txid` from the next boot of this disk, which must have stopped cleanly in the life that
 * head names. Durable when it returns. Throws OrderRefused.
 */
export function orderRestore(files: MachineFiles, head: Head, state: { epoch: string; txid: string }): void {
  const { stop } = requireStop(files, head);
  writeOrder(files, head, { ...state, stoppedAt: stop.txid });
}

/**
 * Orders that the next boot serves the file `incoming`, as a new epoch. What this disk has now is its parent. Throws
 * OrderRefused.
 */
export function orderImport(files: MachineFiles, head: Head): void {
  const { stop, epoch } = requireStop(files, head);
  writeOrder(files, head, { epoch, txid: stop.txid, stoppedAt: stop.txid, incomingBytes: sizeOf(files.incoming) });
}

function requireStop(files: MachineFiles, head: Head): { stop: CleanStop; epoch: string } {
  const mark = readMark(files.mark);
  if (mark?.nonce !== head.nonce || !sawRun(mark, runOf(head)))
    throw new OrderRefused(
      `epoch ${head.epoch} belongs to machine ${head.machine}, and this disk is not of it; restore on that machine`,
    );
  if (head.state !== "living")
    throw new OrderRefused(`epoch ${head.epoch} has no base in the bucket yet: let the app get ready first`);
  if (mark.cleanStop === null)
    throw new OrderRefused(
      "the app did not stop cleanly, so the bucket may lack its last commits; start it again, and see what /ready tells",
    );
  return { stop: mark.cleanStop, epoch: head.epoch };
}

function writeOrder(files: MachineFiles, head: Head, rest: Omit<RestoreOrder, "nonce" | "run">): void {
  const order: RestoreOrder = { nonce: head.nonce, run: runOf(head), ...rest };
  writeDurably(files.restoreOrder, JSON.stringify(order, null, 2));
  // Boot is the one who reads it, and runs as the owner of the data.
  if (process.getuid?.() !== 0) return;
  const { uid, gid } = statSync(files.dataDirectory);
  for (const path of [files.restoreOrder, files.incoming]) if (existsSync(path)) chownSync(path, uid, gid);
}

/** Takes the order back. */
export function removeRestoreOrder(path: string): void {
  rmSync(path, { force: true });
}
