import { randomUUID, createHash } from "node:crypto";
import { constants, existsSync, readFileSync, statSync, createReadStream } from "node:fs";
import { chmod, copyFile, mkdir, mkdtemp, open, readdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";

import { fileIdentity } from "../setup/file-identity.mjs";

/** The file is there or was offered, and its SHA-256 is not the pinned one. */
export class WrongHash extends Error {
  constructor(path: string, expected: string, found: string) {
    super(`${path} refused: sha256 ${found}, expected ${expected}`);
    this.name = "WrongHash";
  }
}

const abandonedAfterMs = 24 * 60 * 60 * 1000;

/** Where a verified binary lives: the hash in the folder's name keeps versions and builds apart. */
export function cachedPath(cacheDir: string, pin: { name: string; version: string; sha256: string }): string {
  return join(cacheDir, `${pin.name}-${pin.version}-${pin.sha256.slice(0, 12)}`, pin.name);
}

/**
 * True if the cached file is the pinned one, false if there is none; throws WrongHash otherwise.
 * A verdict is remembered beside the file by size, times and inode, and believed while they stay: 150 MB cost 0.3 s to
 * hash. The trade: damage by the disk itself goes unseen, and whoever may write the cache may write the verdict too.
 */
export async function isCached(path: string, sha256: string): Promise<boolean> {
  if (!existsSync(path)) return false;
  const verdict = verdictFor(path, sha256);
  if (readVerdict(path) === verdict) return true;
  const found = await hashFile(path);
  if (found !== sha256) throw new WrongHash(path, sha256, found);
  await rememberVerdict(path, verdict);
  return true;
}

/**
 * Copies a candidate into the cache, if the copy has the pinned hash (what is checked is what will run).
 * Written to a temporary file, fsynced and renamed: other processes see all of it or nothing. Throws WrongHash.
 */
export async function storeVerified(candidate: string, path: string, sha256: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const whole = temporaryName(path);
  try {
    await copyFile(candidate, whole, constants.COPYFILE_FICLONE);
    const found = await hashFile(whole);
    if (found !== sha256) throw new WrongHash(candidate, sha256, found);
    await chmod(whole, 0o755);
    await syncToDisk(whole);
    await rename(whole, path);
  } finally {
    await rm(whole, { force: true });
  }
  await rememberVerdict(path, verdictFor(path, sha256));
}

/**
 * A folder for downloads beside the binaries, removed at the end of the scope; what a killed run left is swept after a
 * day.
 */
export async function makeDownloadFolder(cacheDir: string): Promise<AsyncDisposable & { path: string }> {
  await mkdir(cacheDir, { recursive: true }).catch((error: unknown) => {
    throw new Error(`the cache folder ${cacheDir} cannot be made; set XDG_CACHE_HOME to a folder you may write`, {
      cause: error,
    });
  });
  await sweepAbandoned(cacheDir);
  const path = await mkdtemp(join(cacheDir, "download-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

async function sweepAbandoned(cacheDir: string): Promise<void> {
  const folders = (await readdir(cacheDir)).filter((name) => name.startsWith("download-"));
  const paths = folders.map((name) => join(cacheDir, name));
  const abandoned = paths.filter(
    (path) => (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Infinity) < Date.now() - abandonedAfterMs,
  );
  await Promise.all(abandoned.map((path) => rm(path, { recursive: true, force: true })));
}

async function syncToDisk(path: string): Promise<void> {
  await using file = await open(path, "r+");
  await file.sync();
}

function verdictFor(path: string, sha256: string): string {
  return `${sha256} ${fileIdentity(path)}\n`;
}

function readVerdict(path: string): string | undefined {
  const verdict = verdictPath(path);
  return existsSync(verdict) ? readFileSync(verdict, "utf8") : undefined;
}

async function rememberVerdict(path: string, verdict: string): Promise<void> {
  const folder = await stat(dirname(path));
  // A cache that somebody made read-only still serves; it is hashed at every start.
  if ((folder.mode & 0o200) === 0) return;
  const whole = temporaryName(verdictPath(path));
  await writeFile(whole, verdict);
  await rename(whole, verdictPath(path));
}

function temporaryName(path: string): string {
  return `${path}.${randomUUID()}`;
}

function verdictPath(path: string): string {
  return join(dirname(path), `${basename(path)}.verified`);
}

/** Reads the whole file (about 2 ms per MB) and returns its SHA-256 in hex. Throws when it cannot be read. */
export async function hashFile(path: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(path, { highWaterMark: 1024 * 1024 }), hash);
  return hash.digest("hex");
}
