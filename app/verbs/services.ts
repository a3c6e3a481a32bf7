import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { promisify } from "node:util";

import { Refused } from "../cli/command-line.ts";
import { DirectoryInUse, lockDirectory } from "../replica/lock.ts";
import type { MachineFiles } from "../replica/machine.ts";

/** Stops and starts what serves the database. */
export type Services = {
  /** Stops the app and Litestream. Throws when they do not stop. */
  stop(): Promise<void>;
  /** Starts them again, and waits until the app is ready. False where somebody else starts them. */
  start(): Promise<boolean>;
};

/** Nothing is stopped: it was before, or nothing is to change. */
export const untouched: Services = { stop: () => Promise.resolve(), start: () => Promise.resolve(false) };

const run = promisify(execFile);

/** Finds who runs the services here: systemd, or somebody who has stopped them already. Throws Refused. */
export async function findServices({ lock, dataDirectory }: MachineFiles): Promise<Services> {
  if (await isUnderSystemd()) {
    if (process.getuid?.() !== 0)
      throw new Refused("only root may stop the app; put sudo before it, or write a file: --to");
    return { stop: () => call("systemctl", "stop", "lifeboat.target"), start: startUnderSystemd };
  }
  try {
    lockDirectory(lock)[Symbol.dispose]();
  } catch (error) {
    if (!(error instanceof DirectoryInUse)) throw error;
    throw new Refused(
      `${dataDirectory} is in use, and no systemd runs the app here; stop it first (docs/runbooks/by-hand.md), then type the same again with --yes`,
    );
  }
  return untouched;
}

async function isUnderSystemd(): Promise<boolean> {
  if (!existsSync("/run/systemd/system")) return false;
  return run("systemctl", ["cat", "lifeboat.target"]).then(
    () => true,
    () => false,
  );
}

async function startUnderSystemd(): Promise<boolean> {
  await call("systemctl", "start", "lifeboat.target");
  await call("/opt/lifeboat/current/bin/wait-until-ready");
  return true;
}

async function call(file: string, ...words: string[]): Promise<void> {
  // In a group of its own, which Ctrl-C does not reach.
  const group = { maxBuffer: 2 ** 24, detached: true };
  await run(file, words, group);
}
