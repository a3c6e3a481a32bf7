import { resolve } from "node:path";

import { confirm } from "../cli/ask.ts";
import { type CommandLine, verbExitCodes } from "../cli/command-line.ts";
import { flag, readFlags, readValue, text, UsageError } from "../cli/flags.ts";
import { readMachineConfig } from "../cli/machine-config.ts";
import { parseMoment } from "../cli/moment.ts";
import { renderTable } from "../cli/render-table.ts";
import { openTranscript } from "../cli/transcript.ts";
import { openBucket } from "../replica/bucket.ts";
import { fetchHead, type Head } from "../replica/head.ts";
import type { Machine } from "../replica/machine.ts";
import { orderRestore } from "../replica/restore-order.ts";
import type { RestoringMachine } from "../replica/restore.ts";
import { type BootOutcome, bootOrdered, requireOwnMachine, stopAndOrder, uninterrupted } from "./ordered-boot.ts";
import { describeDatabase, type Described, restoreAside, writeCopy } from "./restore-aside.ts";
import { findTarget, type Target } from "./restore-target.ts";
import { findServices, untouched } from "./services.ts";

export type RestoreOptions = Readonly<{
  target: Target;
  /** Only write the state into this file. */
  to: string | null;
  yes: boolean;
  dryRun: boolean;
  json: boolean;
}>;

const flags = {
  at: text("TIME", "the state of a moment: 10m (ago), or 2026-11-25T09:59Z"),
  txid: text("TXID", "the state of a transaction of Litestream, in hex digits"),
  epoch: text("NAME", "with --txid: of another epoch than the present one; alone: its newest state"),
  undo: flag("the state before the last restore; again: the one before that"),
  to: text("FILE", "only write that state into a new file; the app goes on, and nothing else changes"),
  yes: flag("do it without asking"),
  "dry-run": flag("restore it aside, check it, say what would be given up, and change nothing"),
  json: flag("what was done as one object, the last line of stdout; all else goes to stderr"),
} as const;

export const restoreCommand: CommandLine<RestoreOptions> = {
  name: "restore",
  about:
    "Brings an earlier state back, as a new epoch. The state that is served now stays in the bucket: --undo returns to it.",
  onLaptop:
    "It asks the stack's machine over SSH. With --to it restores here, with a key that reads the bucket: that of your login, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY. Where LIFEBOAT_DATA_DIR is set, as by hand, it restores on this computer.",
  flags,
  examples: ["--at 10m", "--at 2026-11-25T09:59Z --dry-run", "--undo", "--at 1m --to copy.db"],
  exitCodes: verbExitCodes,
  readArguments: (words) => readArguments(words, Date.now()),
};

/** Reads the command line of `restore`. Throws UsageError, naming the flag, on anything that is not understood. */
export function readArguments(words: readonly string[], nowMs: number): RestoreOptions {
  const { at, txid, epoch, undo, to, yes, "dry-run": dryRun, json } = readFlags(words, flags);
  const ways = [at !== undefined, txid !== undefined || epoch !== undefined, undo].filter(Boolean).length;
  if (ways !== 1) throw new UsageError("say which state: --at, --txid, --epoch or --undo, and one of them only");
  const moment = readValue("at", at, (given) => parseMoment(given, nowMs));
  if (txid !== undefined && !/^[0-9a-f]{1,16}$/.test(txid))
    throw new UsageError(`--txid: "${txid}" is not a TXID: up to 16 digits of 0 to 9 and a to f`);
  if (to !== undefined && (yes || dryRun))
    throw new UsageError("--to: it changes nothing, so neither --yes nor --dry-run");
  const target: Target =
    moment !== null
      ? { kind: "moment", moment }
      : undo
        ? { kind: "undo" }
        : { kind: "point", epoch: epoch ?? null, txid: txid?.padStart(16, "0") ?? null };
  return Object.freeze({ target, to: to === undefined ? null : resolve(to), yes, dryRun, json });
}

/** Writes a state into a file, wherever there is a key that reads the bucket. Throws Refused, as `restore` does. */
export async function writeState(
  { target, to, json }: Pick<RestoreOptions, "target" | "json"> & { to: string },
  machine: RestoringMachine,
): Promise<void> {
  const bucket = openBucket(machine.bucket);
  const point = await findTarget(bucket, (await fetchHead(bucket)).head, target);
  const asked = `epoch ${point.epoch}, TXID ${point.txid}, ${point.at.toISOString()}`;
  const writing = () => writeCopy(machine, point, to);
  const copy = await openTranscript({ json }).step(
    "the state is written and checked",
    writing,
    () => `${to}: ${asked}`,
  );
  tell(json, { ...point, file: to, ...copy });
}

/** Restores on the machine that this computer is. */
export async function restoreHere(options: RestoreOptions): Promise<void> {
  await restore(options, readMachineConfig({ keepsRights: true }).machine);
}

/**
 * Brings an earlier state back on the machine that serves, or writes it into a file. Throws Refused, before anything is
 * changed, when this machine does not serve, or the bucket does not have that state, or it fails SQLite's checks.
 */
export async function restore(options: RestoreOptions, machine: Machine): Promise<void> {
  const { target, to, yes, dryRun, json } = options;
  if (to !== null) return writeState({ target, to, json }, machine);
  const transcript = openTranscript({ json });
  const bucket = openBucket(machine.bucket);
  const { head } = await fetchHead(bucket);
  const point = await findTarget(bucket, head, target);
  const asked = `epoch ${point.epoch}, TXID ${point.txid}, ${point.at.toISOString()}`;
  requireOwnMachine(machine, head);
  const services = dryRun ? untouched : await findServices(machine.files);
  const present = describeDatabase(machine.files.database);
  const aside = () => restoreAside(machine, point, describeDatabase);
  const earlier = await transcript.step("the state is restored aside and checked", aside, () => asked);
  transcript.line(`\n${renderChange(present, earlier)}\n`);
  if (dryRun) return tell(json, { ...point, isDone: false, present, earlier });
  await confirm(`Serve that state? What is served now stays in the bucket, and --undo returns to it.`, { yes });
  const ordering = (now: Head) => orderRestore(machine.files, now, point);
  const stopping = () => stopAndOrder({ bucket, machine, services }, ordering);
  const isExpected = (report: BootOutcome) => report.row === 12 && report.restoredTxid === point.txid;
  const booting = () => bootOrdered(machine, services, isExpected);
  const epoch = await uninterrupted(async () => {
    await transcript.step("the app stops, all it has is in the bucket", stopping, () => "");
    return transcript.step("boot restores it", booting, (name) => name ?? "ordered: the next boot does it");
  });
  transcript.line("Back to what was served before: lifeboat restore --undo");
  tell(json, { ...point, isDone: epoch !== null, newEpoch: epoch, present, earlier });
}

function renderChange(present: Described, earlier: Described): string {
  const names = [...new Set([...present.tables, ...earlier.tables].map(({ table }) => table))];
  return renderTable([
    ["", "now", "then"],
    ["commit", String(present.sequence), String(earlier.sequence)],
    ...names.map((name) => [name, renderRows(present, name), renderRows(earlier, name)]),
  ]);
}

function renderRows({ tables }: Described, name: string): string {
  const found = tables.find(({ table }) => table === name);
  if (found === undefined) return "-";
  return found.rows === null ? "not counted" : String(found.rows);
}

function tell(json: boolean, result: object): void {
  if (json) process.stdout.write(`${JSON.stringify(result)}\n`);
}
