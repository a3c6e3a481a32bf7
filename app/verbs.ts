import { extname } from "node:path";

import { makeVerb, type Verb } from "./cli/verb.ts";
import { calibrateCommand, calibrateMachine } from "./verbs/calibrate.ts";
import { epochsCommand, showEpochsHere } from "./verbs/epochs.ts";
import { importCommand, importHere } from "./verbs/import.ts";
import { logsCommand, showLogs } from "./verbs/logs.ts";
import { restoreCommand, restoreHere } from "./verbs/restore.ts";
import { runSql, sqlCommand } from "./verbs/sql.ts";
import { showStatus, statusCommand } from "./verbs/status.ts";
import { verifyCommand, verifyHere } from "./verbs/verify.ts";

const calibrationThread = new URL(`./calibration-thread${extname(import.meta.filename)}`, import.meta.url);

/** Every verb of the machine's command line, in the order of its help. */
export const verbs: readonly Verb[] = [
  makeVerb(statusCommand, showStatus),
  makeVerb(epochsCommand, showEpochsHere),
  makeVerb(restoreCommand, restoreHere),
  makeVerb(importCommand, importHere),
  makeVerb(verifyCommand, verifyHere),
  makeVerb(sqlCommand, runSql),
  makeVerb(logsCommand, showLogs),
  makeVerb(calibrateCommand, (options) => calibrateMachine(options, calibrationThread)),
];
