import { createHash } from "node:crypto";
import { existsSync, globSync, mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";

import { runCommand } from "../build/run-command.ts";
import { cacheRoot } from "../setup/cache-root.mjs";
import { lock } from "../setup/lock.mjs";

const tool = "mmdebstrap";
const ownNamespaces = ["--mount", "--propagation=private", "--pid", "--fork", "--kill-child"];
const unfinished = "unfinished-";
const makeLimitMs = 600_000;

/** How a folder with a Debian is made: `name` is for people, the rest decides what is in it. */
export type Recipe = Readonly<{
  name: string;
  suite: string;
  words: readonly string[];
  /** Makes something else of the folder; it says of itself what decides the result. */
  finish?: Readonly<{ recipe: string; run(files: string, made: string): Promise<void> }>;
}>;

/** Where a recipe's folder lies in the cache: another recipe has another one. */
export function placeOf({ name, suite, words, finish }: Recipe): string {
  const content = createHash("sha256").update(JSON.stringify([suite, words, finish?.recipe]));
  return join(cacheRoot(process.env), "debian", `${name}-${content.digest("hex").slice(0, 12)}`);
}

/**
 * The folder of a recipe, made from a mirror once and kept in the cache. Needs root and mmdebstrap where it is not
 * there yet.
 */
export async function makeDebian(recipe: Recipe): Promise<string> {
  const kept = placeOf(recipe);
  if (existsSync(kept)) return kept;
  mkdirSync(dirname(kept), { recursive: true });
  const unlock = await lock(dirname(kept), () => undefined);
  try {
    if (existsSync(kept)) return kept;
    // Whoever had the lock before and was interrupted has left what was not finished.
    for (const name of globSync(join(dirname(kept), `${unfinished}*`))) removeTree(name);
    await makeInto(kept, recipe);
  } finally {
    unlock();
  }
  return kept;
}

async function makeInto(kept: string, recipe: Recipe): Promise<void> {
  const made = mkdtempSync(join(dirname(kept), unfinished));
  const forget = () => removeTree(made);
  process.once("exit", forget);
  try {
    const files = join(made, "files");
    const words = ["--quiet", "--mode=root", ...recipe.words, recipe.suite, files];
    // What it mounts ends with it, also when it is killed: what is taken away below are files, and nobody's /proc or /dev.
    const command = ["--pdeathsig", "SIGKILL", "unshare", ...ownNamespaces, tool, ...words];
    try {
      await runCommand("setpriv", command, { timeoutMs: makeLimitMs });
    } catch (cause) {
      throw new Error(
        `no Debian ${recipe.suite} can be made; see that a mirror of Debian answers apt-get update here`,
        {
          cause,
        },
      );
    }
    const whole = join(made, "whole");
    mkdirSync(whole);
    await recipe.finish?.run(files, whole);
    // Without `flock` another process may have been quicker.
    if (!existsSync(kept)) renameSync(recipe.finish === undefined ? files : whole, kept);
  } finally {
    process.removeListener("exit", forget);
    removeTree(made);
  }
}

function removeTree(path: string): void {
  rmSync(path, { recursive: true, force: true, maxRetries: 5 });
}
