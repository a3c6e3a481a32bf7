import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

import type Database from "better-sqlite3";

import { confirm } from "../cli/ask.ts";
import { type CommandLine, Refused, verbExitCodes } from "../cli/command-line.ts";
import { flag, readFlagsAndOperand, readValue, text, UsageError } from "../cli/flags.ts";
import { readMachineConfig } from "../cli/machine-config.ts";
import { parseWholeNumber } from "../cli/quantity.ts";
import { openTranscript, type Transcript } from "../cli/transcript.ts";
import { DatabaseDamaged } from "../database/database-file.ts";
import { type Migration, MigrationRefused } from "../database/migration.ts";
import { readDatabase } from "../database/open-database.ts";
import { type Brought, ImportRefused, prepareImport } from "../database/prepare-import.ts";
import { type Bucket, openBucket } from "../replica/bucket.ts";
import { fetchHead, type Head } from "../replica/head.ts";
import type { Machine } from "../replica/machine.ts";
import { orderImport } from "../replica/restore-order.ts";
import { digestTables, findDifference, type TableDigest } from "../replica/row-digest.ts";
import { findNewest, listLives } from "../replica/timeline.ts";
import { product } from "../service/product.ts";
import { chooseSchema, inspect, requireEmpty, requireRoom, requireUnchanged } from "./import-checks.ts";
import { type BootOutcome, bootOrdered, requireOwnMachine, stopAndOrder, uninterrupted } from "./ordered-boot.ts";
import { restoreAside } from "./restore-aside.ts";
import { findServices, untouched } from "./services.ts";

type ImportOptions = Readonly<{ file: string; schema: number | null; yes: boolean; dryRun: boolean; json: boolean }>;

const mostMigrations = 100_000;

const flags = {
  schema: text(
    "N",
    "of a database that no Lifeboat wrote: its tables are those after the product's migration N; 0: none of them is there",
  ),
  yes: flag("do it without asking"),
  "dry-run": flag("check it, run the product's migrations on a copy, and change nothing"),
  json: flag("what was done as one object, the last line of stdout; all else goes to stderr"),
} as const;

export const importCommand: CommandLine<ImportOptions> = {
  name: "import",
  about:
    "Brings an existing SQLite database into a Lifeboat whose tables are empty. FILE lies on the machine, and stays as it is.",
  flags,
  operands: "FILE [FLAGS]",
  examples: ["/var/tmp/app.db --schema 1 --dry-run", "/var/tmp/copy.db"],
  exitCodes: verbExitCodes,
  readArguments: (words) => {
    const { values, operand: file } = readFlagsAndOperand(words, flags, "the file");
    if (file === undefined) throw new UsageError("which file? Its path on the machine comes first");
    const schema = readValue("schema", values.schema, (given) => parseWholeNumber(given, mostMigrations));
    const { yes, "dry-run": dryRun, json } = values;
    return Object.freeze({ file: resolve(file), schema, yes, dryRun, json });
  },
};

/** Imports on the machine that this computer is. */
export async function importHere(options: ImportOptions): Promise<void> {
  await importDatabase(options, readMachineConfig({ keepsRights: true }).machine, product.migrations);
}

/**
 * Checks a database, prepares a copy of it for this product, and lets the next boot serve that as a new epoch. Is done
 * when the bucket has given it back, row by row. Throws Refused, before anything is changed.
 */
export async function importDatabase(
  options: ImportOptions,
  machine: Machine,
  migrations: readonly Migration[],
): Promise<void> {
  const { file, yes, dryRun, json } = options;
  const transcript = openTranscript({ json });
  const bucket = openBucket(machine.bucket);
  requireOwnMachine(machine, (await fetchHead(bucket)).head);
  const sequence = requireEmpty(machine);
  const services = dryRun ? untouched : await findServices(machine.files);
  const brought = await transcript.step("the file is sound", async () => inspect(file), renderBrought);
  const adopted = chooseSchema(options, brought, migrations);
  requireRoom(machine, file);
  const preparing = () => prepare({ file, machine, migrations, adopted });
  const content = await transcript.step(
    "a copy is prepared, and the product's migrations run on it",
    preparing,
    renderContent,
  );
  const order = (head: Head): void => {
    requireUnchanged(machine, sequence);
    orderImport(machine.files, head);
  };
  const ordering = () => stopAndOrder({ bucket, machine, services }, order);
  const booting = () => bootOrdered(machine, services, isImported);
  let isOrdered = false;
  let epoch: string | null;
  try {
    if (dryRun) return tell(json, { ...brought, isDone: false, tables: countRowsOf(content) });
    await confirm("Serve it? What is here now has no rows, and stays in the bucket.", { yes });
    epoch = await uninterrupted(async () => {
      await transcript.step("the app stops, all it has is in the bucket", ordering, () => "");
      isOrdered = true;
      return transcript.step("boot takes it over", booting, (name) => name ?? "ordered: the next boot does it");
    });
  } finally {
    if (!isOrdered) removeIncoming(machine);
  }
  if (epoch !== null) await proveUpload({ bucket, machine, epoch, content }, transcript);
  else transcript.line("Boot, and then see that the bucket has it: lifeboat verify");
  tell(json, { ...brought, isDone: epoch !== null, newEpoch: epoch, tables: countRowsOf(content) });
}

function isImported({ content }: BootOutcome): boolean {
  return content === "imported";
}

type Preparing = { file: string; machine: Machine; migrations: readonly Migration[]; adopted: number | null };

/** Returns what the bucket must give back. */
async function prepare({ file, machine, migrations, adopted }: Preparing): Promise<TableDigest[]> {
  const { incoming } = machine.files;
  const scratch = mkdtempSync(join(tmpdir(), "lifeboat-import-"));
  try {
    const digests = await prepareImport({
      source: file,
      target: incoming,
      migrations,
      adopted,
      scratch,
      look: digestAll,
    });
    return digests.filter(({ table }) => !table.startsWith("_"));
  } catch (error) {
    const isRefusal =
      error instanceof ImportRefused || error instanceof MigrationRefused || error instanceof DatabaseDamaged;
    if (!isRefusal) throw error;
    throw new Refused(
      `${file} does not fit this product: ${error.message}; nothing was changed, and --dry-run tries it again`,
    );
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

function digestAll(db: Database.Database): TableDigest[] {
  return digestTables(db, () => false);
}

function removeIncoming({ files }: Machine): void {
  for (const suffix of ["", "-wal", "-shm"]) rmSync(files.incoming + suffix, { force: true });
}

type Proof = { bucket: Bucket; machine: Machine; epoch: string; content: readonly TableDigest[] };

/** The first acknowledgement at the bucket, and what it gives back. */
async function proveUpload({ bucket, machine, epoch, content }: Proof, transcript: Transcript): Promise<void> {
  // The app may add rows as soon as it serves; those that were brought must be there.
  const expected = content.map(({ table, rows, digest }) => ({ table, rows, digest, whole: false }));
  const proving = async () => {
    const life = (await listLives(bucket)).find((one) => one.epoch === epoch);
    const point = life === undefined ? null : await findNewest(bucket, life);
    if (point === null) throw new Error(`the bucket holds nothing of epoch ${epoch} yet; look again: lifeboat verify`);
    const difference = await restoreAside(machine, point, (path) =>
      readDatabase(path, (db) => findDifference(db, expected)),
    );
    if (difference === null) return point;
    throw new Error(
      `what the bucket gives back differs: ${difference}; back to what was there: lifeboat restore --undo`,
    );
  };
  await transcript.step("the bucket gives back every row", proving, ({ txid }) => `epoch ${epoch}, TXID ${txid}`);
}

function renderBrought({ pageBytes, encoding, journalMode, userVersion, triggers }: Brought): string {
  const unusual = triggers.length === 0 ? "no triggers" : `triggers run in the writer, too: ${triggers.join(", ")}`;
  return `pages of ${pageBytes} bytes, ${encoding}, journal mode ${journalMode}, user_version ${userVersion}, ${unusual}`;
}

function countRowsOf(content: readonly TableDigest[]) {
  return content
    .map(({ table, rows }) => ({ table, rows }))
    .toSorted((one, other) => (one.table < other.table ? -1 : 1));
}

function renderContent(content: readonly TableDigest[]): string {
  return countRowsOf(content)
    .map(({ table, rows }) => `${table} ${rows}`)
    .join(", ");
}

function tell(json: boolean, result: object): void {
  if (json) process.stdout.write(`${JSON.stringify(result)}\n`);
}
