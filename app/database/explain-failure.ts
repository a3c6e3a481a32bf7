import Database from "better-sqlite3";

import { type MigrationNote, MigrationRefused } from "./migration.ts";
import { isBusy, isDiskFull } from "./sqlite-failure.ts";

/**
 * Runs a part of a migration and explains a failure. Throws MigrationRefused when another try would end the same way,
 * Error otherwise.
 */
export function explainFailure(migration: MigrationNote, run: () => void): void {
  try {
    run();
  } catch (error) {
    const title = `migration ${migration.number} "${migration.name}" failed, nothing of it was kept, nor of those pending with it`;
    const cause = error instanceof Error ? error.message : String(error);
    if (isDiskFull(error))
      throw new Error(
        `${title}: ${cause}; make room for about twice the size of the database on its disk, then start again`,
        { cause: error },
      );
    if (isBusy(error) || isInputOutput(error)) throw new Error(`${title}: ${cause}; start again`, { cause: error });
    const hint = isForeignKey(error) ? ' (a table is rebuilt only by kind "rebuild")' : "";
    throw new MigrationRefused(`${title}: ${cause}${hint}; correct it and start again`, { cause: error });
  }
}

function isInputOutput(error: unknown): boolean {
  return error instanceof Database.SqliteError && error.code.startsWith("SQLITE_IOERR");
}

function isForeignKey(error: unknown): boolean {
  return error instanceof Database.SqliteError && error.message.startsWith("FOREIGN KEY");
}
