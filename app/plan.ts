import { existsSync } from "node:fs";

import { planMigrations } from "./database/migrate.ts";
import { MigrationRefused } from "./database/migration.ts";
import { openDatabase } from "./database/open-database.ts";
import { exitCodes } from "./exit-codes.ts";
import { findProductFault } from "./product.ts";
import { machineFiles } from "./replica/machine.ts";
import { readMark } from "./replica/mark.ts";
import { product } from "./service/product.ts";

// `plan.mjs DATA_DIRECTORY [stopped]`, run with the new release before it is activated. Reports whether its product can
// be served and what its migrations would do to the database. Writes nothing. Exit codes: 0 the previous release can
// still serve afterwards, 3 there is no way back but a restore, 100 this release cannot serve the database, 1 anything
// else.
const noWayBack = 3;
const [directory = "", moment] = process.argv.slice(2);
const files = machineFiles(directory, directory);
process.exitCode = moment === "stopped" ? nameRestorePoint() : explainPlan();

function explainPlan(): number {
  const fault = findProductFault(product);
  if (fault !== null) {
    say(fault);
    return exitCodes.refused;
  }
  if (!existsSync(files.database)) return 0;
  const db = openDatabase(files.database, "reader");
  try {
    const { pending, holdsData } = planMigrations(db, product.migrations);
    for (const { number, name, kind = "plain" } of pending) say(`migration ${number} "${name}" is pending: ${kind}`);
    return holdsData && pending.some(({ kind }) => kind !== "additive") ? noWayBack : 0;
  } catch (error) {
    if (!(error instanceof MigrationRefused)) throw error;
    say(error.message);
    return exitCodes.refused;
  } finally {
    db.close();
  }
}

/** After a clean stop the mark has the newest TXID of the replica. */
function nameRestorePoint(): number {
  const mark = readMark(files.mark);
  if (mark === null || mark.cleanStop === null) {
    say("nothing is migrated: the app left no clean stop behind, so there is no restore point; look at its log");
    return 1;
  }
  say(
    `there is no way back from these migrations but a restore. The restore point: epoch ${mark.epoch}, TXID ${mark.cleanStop.txid}, ${new Date().toISOString()}`,
  );
  return 0;
}

function say(text: string): void {
  process.stderr.write(`lifeboat: ${text}\n`);
}
