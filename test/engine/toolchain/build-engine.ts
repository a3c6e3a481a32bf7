import { existsSync } from "node:fs";
import { copyFile, mkdir, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";

import { findOnPath } from "../../../scripts/build/find-on-path.ts";
import { runCommand } from "../../../scripts/build/run-command.ts";
import { cacheRoot } from "../../../scripts/setup/cache-root.mjs";
import { lock } from "../../../scripts/setup/lock.mjs";
import { type Build, builds, goArguments, languageHost, pebbleBuilds, recipeKey } from "./recipe.ts";

// A cold build takes 15 min on two quiet cores; the limit is for a busy machine.
const buildLimitMs = 60 * 60 * 1000;

/**
 * The folder with the engine and the hcloud plugin (a PULUMI_HOME), built from published Go modules at the first call
 * and cached by content outside the project. Throws when Go is missing or a build fails.
 */
export function buildEngine(say: (line: string) => void): Promise<string> {
  return buildOnce({ name: "engine", builds, extra: [languageHost] }, say);
}

export type Pebble = { pebble: string; nameServer: string };

/** The paths of Let's Encrypt's own ACME server for tests and of its name server, built and cached in the same way. */
export async function buildPebble(say: (line: string) => void): Promise<Pebble> {
  const home = await buildOnce({ name: "pebble", builds: pebbleBuilds, extra: [] }, say);
  return { pebble: join(home, "pebble"), nameServer: join(home, "pebble-challtestsrv") };
}

type Recipe = { name: string; builds: readonly Build[]; extra: readonly { source: string; output: string }[] };

async function buildOnce(recipe: Recipe, say: (line: string) => void): Promise<string> {
  const cache = join(cacheRoot(process.env), recipe.name);
  const home = join(cache, recipeKey(recipe, `${process.platform}-${process.arch}`));
  if (isBuilt(home)) return home;
  await mkdir(cache, { recursive: true });
  const unlock = await lock(cache, () => say(`waiting for another process, which builds ${recipe.name}`));
  try {
    if (!isBuilt(home)) await buildInto(home, recipe, say);
  } finally {
    unlock();
  }
  return home;
}

/** The folder is renamed into place when all is built, so its presence says that it is whole. */
function isBuilt(home: string): boolean {
  return existsSync(home);
}

async function buildInto(home: string, recipe: Recipe, say: (line: string) => void): Promise<void> {
  const go = findGo();
  const unfinished = await mkdtemp(`${home}.building-`);
  try {
    for (const build of recipe.builds) {
      const startedAt = Date.now();
      say(`building ${build.module} with Go; the first time takes ${build.takes}`);
      // One after the other: the second uses what the first compiled.
      await runBuild(go, build, unfinished);
      say(`${build.module} built in ${Math.round((Date.now() - startedAt) / 1000)} s`);
    }
    for (const { source, output } of recipe.extra) await copyFile(source, join(unfinished, output));
    await writeFile(join(unfinished, "BUILD"), await runCommand(go, ["version"], { timeoutMs: 10_000 }));
    // Without `flock` another process may have been quicker.
    if (!isBuilt(home)) await rename(unfinished, home);
  } finally {
    await rm(unfinished, { recursive: true, force: true });
  }
}

async function runBuild(go: string, build: Build, home: string): Promise<void> {
  await mkdir(dirname(join(home, build.output)), { recursive: true });
  const directory = join(import.meta.dirname, "..", "tools", build.module);
  const env = { ...process.env, CGO_ENABLED: "0", GOWORK: "off", GOFLAGS: "-mod=readonly" };
  await runCommand(go, ["-C", directory, ...goArguments(build, home)], { env, timeoutMs: buildLimitMs });
}

function findGo(): string {
  const [go] = findOnPath("go", process.env["PATH"] ?? "");
  if (go !== undefined) return go;
  throw new Error(
    "the tests with the real Pulumi engine build it with Go, and there is no go on PATH; install Go 1.26 or newer (https://go.dev/dl)",
  );
}
