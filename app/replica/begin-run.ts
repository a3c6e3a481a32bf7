import { renameSync, writeFileSync } from "node:fs";

import { Type, type Static } from "typebox";

import { isDatabase } from "../database/database-file.ts";
import { readOptionalFile } from "../durable-file.ts";
import { runOf } from "./head.ts";
import { readStagedTxid } from "./litestream.ts";
import type { Machine, MachineFiles } from "./machine.ts";
import { readMark, writeMark, type Mark } from "./mark.ts";
import { parseJson } from "./parse-json.ts";

/** Starts boot and what follows it. Restarting the bootstrap alone would not repeat a boot that has succeeded. */
export const startBoot = "on the machine: systemctl restart lifeboat.target; by hand: docs/runbooks/by-hand.md";

const ReplicatedSchema = Type.Object({ run: Type.String(), txid: Type.String() });

/** How far a run of the epoch has come in the bucket. */
type Replicated = Static<typeof ReplicatedSchema>;

/**
 * Begins a run of the app on this disk, before anything is served from it: checks that boot has judged the database,
 * and erases the clean stop from the mark, which must not outlive the first write. Throws an Error that names boot as
 * the next step.
 */
export function beginRun(machine: Machine): Mark {
  const { files } = machine;
  const mark = readMark(files.mark);
  if (mark?.bootId !== machine.bootId)
    throw new Error(
      `boot has not prepared ${files.dataDirectory} since the system started; start boot first (${startBoot})`,
    );
  if (!isDatabase(files.database))
    throw new Error(`${files.database} is gone or empty; start boot, which restores it (${startBoot})`);
  assertNotPutBack(files, mark);
  if (mark.cleanStop === null) return mark;
  const living = { ...mark, cleanStop: null };
  writeMark(files.mark, living);
  return living;
}

/**
 * Records what a checked sync has proven, outside of the data directory: restoring an old disk does not restore this
 * file. It need not survive a power loss, after which boot judges the disk anyway.
 */
export function noteReplicated({ replicated }: MachineFiles, found: Replicated): void {
  writeFileSync(`${replicated}.tmp`, JSON.stringify(found), { mode: 0o600 });
  renameSync(`${replicated}.tmp`, replicated);
}

/** Litestream stages a file before it uploads it, so a disk with less than was replicated has gone back in time. */
function assertNotPutBack(files: MachineFiles, mark: Mark): void {
  const text = readOptionalFile(files.replicated);
  if (text === null) return;
  const { run, txid } = parseJson(ReplicatedSchema, text, files.replicated);
  // A note of an earlier run: boot has judged the disk since then.
  if (run !== newestRunOf(mark)) return;
  const staged = readStagedTxid(files.litestreamState);
  if (staged !== null && staged >= txid) return;
  throw new Error(
    `TXID ${txid} was replicated from ${files.dataDirectory}, but Litestream's files there end at ${staged ?? "nothing"}: ` +
      `the disk was put back, or they were deleted; start boot first, which compares it with the bucket (${startBoot})`,
  );
}

/** The newest run in a mark. */
export function newestRunOf({ nonce, runs }: Mark): string {
  return runOf({ nonce, run: runs?.at(-1) });
}
