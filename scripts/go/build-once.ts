import { existsSync } from "node:fs";
import { copyFile, mkdir, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";

import { findOnPath } from "../build/find-on-path.ts";
import { runCommand } from "../build/run-command.ts";
import { cacheRoot } from "../setup/cache-root.mjs";
import { lock } from "../setup/lock.mjs";
import { type Build, goArguments, type Recipe, recipeKey } from "./recipe.ts";

// A cold build takes 15 min on two quiet cores; the limit is for a busy machine.
const buildLimitMs = 60 * 60 * 1000;

/**
 * The folder with what the recipe builds from published Go modules, made at the first call and cached by content outside
 * the project. Throws when Go is missing or a build fails.
 */
export async function buildOnce(recipe: Recipe, say: (line: string) => void): Promise<string> {
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
      await runBuild(go, build, { from: recipe.directory, to: unfinished });
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

async function runBuild(go: string, build: Build, { from, to }: { from: string; to: string }): Promise<void> {
  await mkdir(dirname(join(to, build.output)), { recursive: true });
  const directory = join(from, build.module);
  const env = { ...process.env, CGO_ENABLED: "0", GOWORK: "off", GOFLAGS: "-mod=readonly" };
  await runCommand(go, ["-C", directory, ...goArguments(build, to)], { env, timeoutMs: buildLimitMs });
}

function findGo(): string {
  const [go] = findOnPath("go", process.env["PATH"] ?? "");
  if (go !== undefined) return go;
  throw new Error(
    "the Pulumi engine and the ACME server of the tests and of the machine room are built with Go, and there is no go on PATH; install Go 1.26 or newer (https://go.dev/dl)",
  );
}
