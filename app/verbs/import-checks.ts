import { existsSync } from "node:fs";

import { Refused } from "../cli/command-line.ts";
import type { Migration } from "../database/migration.ts";
import { type Brought, inspectBrought } from "../database/prepare-import.ts";
import { measureSpace, sizeOf } from "../durable-file.ts";
import type { Machine } from "../replica/machine.ts";
import { readMark } from "../replica/mark.ts";
import { describeDatabase } from "./restore-aside.ts";

// What an import asks before anything is changed. Each throws Refused.

const mebibyte = 1024 ** 2;

/** Returns the commit at which it was empty. */
export function requireEmpty({ files }: Machine): number {
  const { sequence, tables } = describeDatabase(files.database);
  const filled = tables.filter(({ table, rows }) => !table.startsWith("_") && rows !== 0);
  if (filled.length === 0) return sequence;
  const found = filled.map(({ table, rows }) => `${table} has ${rows ?? "many"} rows`).join(", ");
  throw new Refused(
    `this Lifeboat is not empty (${found}), and an import would hide what it has; import into a new one: pulumi stack init NAME`,
  );
}

/** Not by another look at the database: with the app stopped, SQLite would leave files of root's beside it. */
export function requireUnchanged({ files }: Machine, sequence: number): void {
  const stoppedAt = readMark(files.mark)?.cleanStop?.position?.sequence ?? sequence;
  if (stoppedAt === sequence) return;
  throw new Refused(
    `something was written while the import was prepared (commit ${stoppedAt} after ${sequence}); nothing was changed, see what it was: --dry-run`,
  );
}

export function inspect(file: string): Brought {
  if (!existsSync(file))
    throw new Refused(
      `${file} is not on this machine; bring it there first (scp), and type its path there: lifeboat import FILE`,
    );
  try {
    return inspectBrought(file);
  } catch (error) {
    const cause = error instanceof Error ? error.message : String(error);
    throw new Refused(
      `${file} cannot be taken in: ${cause}; mend it there (sqlite3 FILE .recover), end what has it open, and try it first: --dry-run`,
      { cause: error },
    );
  }
}

export function chooseSchema(
  { schema }: { schema: number | null },
  { isOurs }: Brought,
  migrations: readonly Migration[],
): number | null {
  if (isOurs && schema !== null)
    throw new Refused(
      "a Lifeboat has written this file, so it says itself which migrations have run; leave this out: --schema",
    );
  if (isOurs) return null;
  if (schema === null)
    throw new Refused(
      `no Lifeboat has written this file: say after which of the product's ${migrations.length} migrations its tables stand: --schema N (0: none of the product's tables is there)`,
    );
  if (schema > migrations.length) throw new Refused(`the product has only ${migrations.length} migrations: --schema`);
  return schema;
}

export function requireRoom({ files }: Machine, file: string): void {
  const needed = sizeOf(file) + sizeOf(`${file}-wal`) + 64 * mebibyte;
  const { freeBytes } = measureSpace(files.dataDirectory);
  if (freeBytes >= needed) return;
  throw new Refused(
    `${files.dataDirectory} has ${Math.round(freeBytes / 1e6)} MB free, and ${Math.round(needed / 1e6)} are needed; make the volume larger: pulumi config set volumeSizeGb`,
  );
}
