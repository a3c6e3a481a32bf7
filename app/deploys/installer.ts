import { execFile } from "node:child_process";
import { existsSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { promisify } from "node:util";

import { readOptionalFile } from "../durable-file.ts";

const run = promisify(execFile);

/** How a run of the release's run-deploy stands. `gone`: it was cut off and left no exit code. */
export type Installation = { state: "running" | "gone" } | { state: "ended"; code: number; words: string };

/** Brings releases onto this machine. */
export type Installer = {
  /** The hash of the current release. */
  currentRelease(): string;
  /** Why a deploy must wait now. Null when it need not. */
  findHindrance(): Promise<string | null>;
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
const commandLimitMs = 30_000;
const keptWords = 4_000;

/**
 * The installer of a machine. Each installation is a unit of its own: it has the rights that it needs, which the
 * watcher has not, and it outlives the watcher, which it restarts.
 */
export function openInstaller(directory: string): Installer {
  return {
    currentRelease: () => basename(readlinkSync(join(home, "current"))),
    findHindrance,
    isStopped: async () => (await ask("lifeboat.target", "ActiveState")) !== "active",
    clear: () => rmSync(join(directory, "code"), { force: true }),
    start: async (program) => {
      const options = ["--quiet", "--collect", `--unit=${unit}`, "--property=OOMScoreAdjust=300"];
      await run("systemd-run", [...options, join(home, "current/bin/run-deploy"), ...program], {
        timeout: commandLimitMs,
      });
    },
    look: async () => look(directory),
  };
}

async function findHindrance(): Promise<string | null> {
  if (existsSync(lock) && !(await succeeds("flock", ["--nonblock", lock, "true"])))
    return "something else brings this machine up, such as pulumi up; the deploy begins when that has ended";
  // A job: it is about to begin.
  const isBooting =
    (await ask("lifeboat-bootstrap.service", "ActiveState")) === "activating" ||
    (await ask("boot.service", "SubState")) === "start" ||
    !["", "0"].includes(await ask("boot.service", "Job"));
  return isBooting ? "the machine boots, or restores; the deploy begins when that has ended" : null;
}

async function look(directory: string): Promise<Installation> {
  // In this order: the code is written before the unit ends.
  const state = await ask(unit, "ActiveState");
  const code = readOptionalFile(join(directory, "code"));
  if (code !== null) {
    const words = readFileSync(join(directory, "words"), "utf8").trim();
    return { state: "ended", code: Number(code), words: words.slice(-keptWords) };
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
