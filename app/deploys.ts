import { writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { Connection } from "./deploys/connection.ts";
import { askEveryMs } from "./deploys/deploy-report.ts";
import { DeployWatch } from "./deploys/deploy-watch.ts";
import { Faults } from "./deploys/faults.ts";
import { openInstaller } from "./deploys/installer.ts";
import { readMachineName } from "./deploys/machine-place.ts";
import { openSettings, SettingsRefused } from "./deploys/open-settings.ts";
import { exitCodes } from "./exit-codes.ts";
import { type Log, openLog } from "./log.ts";
import { BucketError } from "./replica/bucket-error.ts";

// Run as root by lifeboat-deploys.service: `deploys.mjs` watches the bucket; `deploys.mjs check` reads the wish once, by
// which a deploy sees that this release will hear of the next one; `deploys.mjs open-settings SHA256` prints settings that
// lie sealed in the bucket. Knows nothing of the app, which may be sick.
const settings = "/etc/lifeboat/environment";
const settingsKey = "/etc/lifeboat/settings-key";
// Written by the release's name-machine, perhaps later.
const names = { name: "/run/lifeboat-machine", otherName: "/etc/machine-id" };
const place = "/var/lib/lifeboat-deploys";
const passing = "/run/lifeboat-deploys";
// While a release is installed.
const lookEveryMs = 1_000;
const slowestMs = 30_000;
const keyLimitMs = 120_000;
const checkLimitMs = 30_000;

const [, , order, operand = ""] = process.argv;
if (order === "check") await check();
else if (order === "open-settings") await printSettings(operand);
else await watch(openLog("info"));
process.exit(process.exitCode ?? 0);

function nameMachine(): string {
  return readMachineName(names);
}

/** A store that is away is no fault of this release. */
async function check(): Promise<void> {
  const endAt = performance.now() + checkLimitMs;
  for (;;) {
    try {
      await new Connection(settings).open().readWish();
      return;
    } catch (error) {
      if (!(error instanceof BucketError)) throw error;
      if (performance.now() > endAt) return refuse(error.message, "npm run deploy, when the store answers again");
    }
    await sleep(lookEveryMs);
  }
}

/** Prints them, or in one line why they are refused. */
async function printSettings(sha256: string): Promise<void> {
  try {
    const opened = await openSettings(sha256, { settings, settingsKey, limitMs: keyLimitMs });
    await new Promise((resolve) => process.stdout.write(opened, resolve));
  } catch (error) {
    if (error instanceof SettingsRefused) refuse(error.message, error.next);
    else if (error instanceof BucketError) refuse(error.message, "run up again, when the store answers");
    else throw error;
  }
}

/** In the form of the bootstrap's refuse. */
function refuse(cause: string, next: string): void {
  console.error(`lifeboat: refused: ${cause}; next: ${next}`);
  process.exitCode = exitCodes.refused;
}

/** Ends when another release is current, whoever brought it: systemd then starts that release's own watcher. */
async function watch(log: Log): Promise<void> {
  const own = basename(dirname(import.meta.dirname));
  const installer = openInstaller(passing);
  const watcher = new DeployWatch({ installer, notesFile: join(place, "notes.json"), nameMachine, log });
  const connection = new Connection(settings);
  const faults = new Faults(log);
  while (installer.currentRelease() === own) {
    try {
      await watcher.goOn(connection.open());
      faults.end();
    } catch (error) {
      faults.add(error);
    }
    // By this a deploy sees that its release watches. A store that is away is not the release's fault.
    if (!faults.isOwn) writeFileSync(join(passing, "watching"), `${own}\n`);
    await sleep(Math.min((watcher.isBusy ? lookEveryMs : askEveryMs) * 2 ** faults.count, slowestMs));
  }
}
