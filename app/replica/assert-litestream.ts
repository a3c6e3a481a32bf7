import { execFile } from "node:child_process";
import { promisify } from "node:util";

const oldestPatch = 17;
const limitMs = 10_000;

/**
 * Makes sure, before anything is claimed, that Litestream is there and of a version that is known to be safe: 0.5.17 is
 * the first with an SQLite that does not corrupt a WAL which two processes checkpoint. Throws an Error that says so.
 */
export async function assertLitestream(path: string): Promise<void> {
  const version = await readVersion(path);
  const patch = /^v?0\.5\.(\d+)$/.exec(version)?.[1];
  if (patch !== undefined && Number(patch) >= oldestPatch) return;
  throw new Error(`${path} is Litestream ${version}; 0.5.${oldestPatch} or a newer 0.5 is needed`);
}

async function readVersion(path: string): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)(path, ["version"], { timeout: limitMs });
    return stdout.trim();
  } catch (error) {
    throw new Error(`${path} cannot be run: install Litestream, or say where it is in LIFEBOAT_LITESTREAM`, {
      cause: error,
    });
  }
}
