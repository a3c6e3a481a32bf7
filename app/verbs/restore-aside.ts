import { existsSync, mkdirSync, renameSync } from "node:fs";
import { dirname, join } from "node:path";

import { Refused } from "../cli/command-line.ts";
import { findCommitSequence } from "../database/commit-sequence.ts";
import { DatabaseDamaged } from "../database/database-file.ts";
import { quickCheck, readDatabase } from "../database/open-database.ts";
import { fsyncPath } from "../durable-file.ts";
import type { Machine } from "../replica/machine.ts";
import { findRoom, rehearsalLimits } from "../replica/rehearsal.ts";
import { restoreEpoch, type RestoringMachine } from "../replica/restore.ts";
import { countRows, type RowCount } from "../replica/row-digest.ts";
import type { RestorePoint } from "../replica/timeline.ts";
import { Scratch } from "../verify/scratch.ts";

/** What a database holds: its commit sequence, and how many rows each table has. */
export type Described = { sequence: number; tables: RowCount[] };

const countMs = 2_000;

/** Describes a database that may be in use. Throws DatabaseDamaged. */
export function describeDatabase(path: string): Described {
  return readDatabase(path, (database) => ({
    sequence: findCommitSequence(database).sequence,
    tables: countRows(database, performance.now() + countMs),
  }));
}

/**
 * Restores a state into a temporary file, checks it with SQLite's quick_check, and lets it be looked at. Nothing of it
 * stays. Throws Refused when no disk has room or it is damaged, RestoreFailed.
 */
export async function restoreAside<Result>(
  machine: Machine,
  point: RestorePoint,
  look: (path: string) => Result,
): Promise<Result> {
  const room = findRoom(machine, rehearsalLimits(machine));
  if (room === null)
    throw new Refused(
      `no disk has room for a copy of the database; make the volume larger: pulumi config set volumeSizeGb`,
    );
  return restoreIn(room, machine, { point, look });
}

/** Writes a state into a new file, which appears only when it is whole. Throws Refused, RestoreFailed. */
export async function writeCopy(machine: RestoringMachine, point: RestorePoint, path: string): Promise<Described> {
  if (existsSync(path)) throw new Refused(`${path} is there already; name another file: --to`);
  if (!existsSync(dirname(path)))
    throw new Refused(`${dirname(path)} is no directory; make it, or name another file: --to`);
  const look = (restored: string): Described => {
    const described = describeDatabase(restored);
    fsyncPath(restored);
    renameSync(restored, path);
    fsyncPath(dirname(path));
    return described;
  };
  return restoreIn(dirname(path), machine, { point, look });
}

type Aside<Result> = { point: RestorePoint; look: (path: string) => Result };

async function restoreIn<Result>(
  room: string,
  machine: RestoringMachine,
  { point, look }: Aside<Result>,
): Promise<Result> {
  await using scratch = new Scratch(room);
  const { epoch, txid } = point;
  const files = {
    ...machine.files,
    restored: join(scratch.path, "db"),
    restoreConfig: join(scratch.path, "restore.yml"),
  };
  mkdirSync(files.restored);
  const { path } = await restoreEpoch({ ...machine, files }, epoch, { txid });
  assertSound(path, point);
  return look(path);
}

function assertSound(path: string, { epoch, txid }: RestorePoint): void {
  try {
    readDatabase(path, quickCheck);
  } catch (error) {
    if (!(error instanceof DatabaseDamaged)) throw error;
    throw new Refused(`epoch ${epoch} at TXID ${txid} is damaged (${error.message}); try another moment: --at`, {
      cause: error,
    });
  }
}
