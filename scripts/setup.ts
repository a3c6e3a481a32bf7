import { manifest } from "./build/manifest.ts";
import type { BinaryName } from "./build/manifest.ts";
import { BinaryNotFound, resolveBinary } from "./build/resolve-binary.ts";
import { readEmbeddedSqliteVersion, readOwnSqliteVersion, requireSafeSqlite } from "./build/sqlite-bound.ts";
import { startProgress } from "./setup/progress.mjs";

/**
 * Started by setup.mjs. Progress goes to stderr; stdout is one JSON object: the binaries, and whether none is missing.
 */
async function setUp(): Promise<void> {
  requireSafeSqlite("better-sqlite3", readOwnSqliteVersion());
  const litestream = await fetchBinary("litestream");
  requireSafeSqlite("Litestream", await readEmbeddedSqliteVersion(litestream));
  const weed = await fetchStoreBinary();
  const files = weed.path === undefined ? [litestream] : [litestream, weed.path];
  console.log(JSON.stringify({ complete: weed.complete, files }));
}

/** Without SeaweedFS the drill still runs against another store, so its absence is said, not fatal. */
async function fetchStoreBinary(): Promise<{ path?: string; complete: boolean }> {
  try {
    return { path: await fetchBinary("weed"), complete: true };
  } catch (error) {
    if (!(error instanceof BinaryNotFound)) throw error;
    console.error(`[setup] ${error.message}`);
    const pinnedHere = manifest.weed.platforms[`${process.platform}-${process.arch}`];
    return { complete: pinnedHere === undefined };
  }
}

async function fetchBinary(name: BinaryName): Promise<string> {
  let progress: ReturnType<typeof startProgress> | undefined;
  const say = (line: string) => (progress ? progress.say(line) : console.error(`[setup] ${line}`));
  const onFetch = (what: string) => (progress = startProgress(`fetching ${what}`));
  try {
    const path = await resolveBinary(name, { say, onFetch });
    progress?.done();
    return path;
  } catch (error) {
    progress?.failed();
    throw error;
  }
}

try {
  await setUp();
} catch (error) {
  console.error(`[setup] ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
