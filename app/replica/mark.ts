import { Type, type Static } from "typebox";

import type { CommitSequence } from "../database/commit-sequence.ts";
import { readOptionalFile, writeDurably } from "../durable-file.ts";
import { parseJson } from "./parse-json.ts";

const CleanStopSchema = Type.Object({
  txid: Type.String(),
  position: Type.Optional(Type.Object({ sequence: Type.Number(), token: Type.String() })),
});

const MarkSchema = Type.Object({
  epoch: Type.String(),
  nonce: Type.String(),
  machine: Type.String(),
  runs: Type.Optional(Type.Array(Type.String())),
  bootId: Type.String(),
  cleanStop: Type.Union([CleanStopSchema, Type.Null()]),
});

/**
 * Lies beside the database and says whose it is: the claim's nonce decides, never the content. `runs` are the runs of
 * the epoch that this disk may have seen: its own, and during a resume also the next. `cleanStop` holds the replicated
 * TXID and the commit sequence of a checked stop.
 */
export type Mark = Static<typeof MarkSchema>;
export type CleanStop = Static<typeof CleanStopSchema>;

/** Whether the disk took part in this run of the epoch, or may have. A copy from an earlier run did not. */
export function sawRun(mark: Mark, run: string): boolean {
  return (mark.runs ?? [mark.nonce]).includes(run);
}

/**
 * Whether a database is the one that this clean stop left. The mark of an older release does not record the position.
 */
export function isStoppedAt({ position }: CleanStop, found: CommitSequence | null): boolean {
  return position === undefined || (found?.sequence === position.sequence && found.token === position.token);
}

/**
 * Reads the mark. Null when there is none. Throws when the file is damaged: with a guess two machines could own one
 * epoch.
 */
export function readMark(path: string): Mark | null {
  const text = readOptionalFile(path);
  return text === null ? null : parseJson(MarkSchema, text, path);
}

/** Writes the mark, and fsyncs file and directory before it returns. */
export function writeMark(path: string, mark: Mark): void {
  writeDurably(path, JSON.stringify(mark, null, 2));
}
