import { execFile } from "node:child_process";
import { existsSync, readlinkSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { promisify } from "node:util";

import { readOptionalFile } from "../durable-file.ts";

const run = promisify(execFile);

/** How a run of the release's run-deploy stands. `gone`: it was cut off and left no exit code, or cannot go on. */
export type Installation =
  | { state: "running" }
  | { state: "gone"; cause?: string }
  | { state: "ended"; code: number; words: string };

/** Why a deploy must wait now, and for how long at most. */
export type Hindrance = { cause: string; limitMs: number };

/** Brings releases onto this machine. */
export type Installer = {
  /** The hash of the current release. */
  currentRelease(): string;
  /** Null when nothing is in the way of a deploy. */
  findHindrance(): Promise<Hindrance | null>;
  /** Whether the app answers /ready. */
  isReady(): Promise<boolean>;
  /** Whether somebody has stopped Lifeboat here. */
  isStopped(): Promise<boolean>;
  /** Forgets the installation before. */
  clear(): void;
  /** Starts a program of the current release, with its words. */
  start(program: readonly string[]): Promise<void>;
  look(): Promise<Installation>;
};

const home = "/opt/lifeboat";
const unit = "lifeboat-deploy.service";
const lock = "/run/lifeboat-bring-up.lock";
const keepsKeysOffTheDisk = ["--property=LimitCORE=0", "--property=MemorySwapMax=0"];
const commandLimitMs = 30_000;
const readyUrl = "http://127.0.0.1:8080/ready";
const readyLimitMs = 5_000;
/** As long as bin/wait-until-ready waits for a boot. */
const patienceMs = 1_800_000;

/**
 * The installer of a machine. Each installation is a unit of its own: it has the rights that it needs, which the
 * watcher has not, and it outlives the watcher, which it restarts.
 */
export function openInstaller(directory: string): Installer {
  return {
    currentRelease: () => basename(readlinkSync(join(home, "current"))),
    findHindrance,
    isReady,
    isStopped: async () => (await ask("lifeboat.target", "ActiveState")) !== "active",
    clear: () => rmSync(join(directory, "code"), { force: true }),
    start: async (program) => {
      const options = [
        "--quiet",
        "--collect",
        `--unit=${unit}`,
        "--property=OOMScoreAdjust=300",
        ...keepsKeysOffTheDisk,
      ];
      await run("systemd-run", [...options, join(home, "current/bin/run-deploy"), ...program], {
        timeout: commandLimitMs,
      });
    },
    look: async () => look(directory),
  };
}

async function findHindrance(): Promise<Hindrance | null> {
  if (existsSync(lock) && !(await succeeds("flock", ["--nonblock", lock, "true"]))) {
    const cause = "something else brings this machine up, such as pulumi up; the deploy begins when that has ended";
    return { cause, limitMs: patienceMs };
  }
  // A restore takes as long as it takes. Not "activating": between two tries of a boot that fails again and again there
  // is room for the release that cures it.
  if (["start-pre", "start"].includes(await ask("boot.service", "SubState")))
    return { cause: "the machine boots, or restores; the deploy begins when that has ended", limitMs: Infinity };
  // In the order of a start, so that none of them can pass unseen.
  const isStarting =
    (await ask("lifeboat-bootstrap.service", "ActiveState")) === "activating" ||
    (await hasJob("lifeboat-bootstrap.service")) ||
    (await hasJob("lifeboat.target")) ||
    (await hasJob("boot.service"));
  const cause = "the machine starts: lifeboat-bootstrap has not ended; the deploy begins when it has";
  return isStarting ? { cause, limitMs: patienceMs } : null;
}

/** Whether a unit is about to start or to stop. */
async function hasJob(unitName: string): Promise<boolean> {
  return !["", "0"].includes(await ask(unitName, "Job"));
}

async function isReady(): Promise<boolean> {
  const answer = await fetch(readyUrl, { signal: AbortSignal.timeout(readyLimitMs) }).catch(() => null);
  return answer?.ok === true;
}

async function look(directory: string): Promise<Installation> {
  // In this order: the code is written before the unit ends.
  const state = await ask(unit, "ActiveState");
  const code = readOptionalFile(join(directory, "code"));
  // What is no number must not count as 0.
  if (code !== null && /^\d+\n$/.test(code)) {
    const words = readOptionalFile(join(directory, "words")) ?? "";
    return { state: "ended", code: Number(code), words: words.trim() };
  }
  return { state: state === "active" || state === "activating" || state === "deactivating" ? "running" : "gone" };
}

async function ask(of: string, property: string): Promise<string> {
  const words = ["show", "--property", property, "--value", of];
  return (await run("systemctl", words, { timeout: commandLimitMs })).stdout.trim();
}

async function succeeds(command: string, words: string[]): Promise<boolean> {
  try {
    await run(command, words, { timeout: commandLimitMs });
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === 1) return false;
    throw error;
  }
}
