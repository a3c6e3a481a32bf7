import { existsSync, linkSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative, resolve } from "node:path";

import { Type } from "typebox";
import { Value } from "typebox/value";

import { findProductFault } from "../../app/product.ts";
import { product } from "../../app/service/product.ts";
import { findReadableNote, type ReleasePlatform, writeReleaseNote } from "../../cloud-init/built-release.ts";
import { hashFile } from "./binary-cache.ts";
import { appSources, bundleApp } from "./bundle-app.ts";
import { manifest } from "./manifest.ts";
import { listFiles, releaseFiles } from "./release-files.ts";
import { resolveBinary } from "./resolve-binary.ts";
import { resolveNode } from "./resolve-node.ts";
import { type Archive, type ArchiveFile, digestContent, writeArchive } from "./write-archive.ts";

const root = join(import.meta.dirname, "../..");

/**
 * Builds the archive of everything that runs on a machine of that platform into `directory`, named by its SHA-256, and
 * records it in latest-<platform>.json, with its path from the root of the repository. The same sources make the same
 * archive. An existing complete archive is not packed again, which would take 16 s of processor time. Throws when a
 * binary is not available, and when the product cannot be served.
 */
export async function buildRelease(platform: ReleasePlatform, directory: string): Promise<Archive> {
  const fault = findProductFault(product);
  if (fault !== null) throw new Error(fault);
  const workshop = mkdtempSync(join(tmpdir(), "lifeboat-build-"));
  try {
    const files = await gatherFiles(platform, workshop);
    const content = await digestContent(files);
    const last = await findArchive(platform, directory, content);
    if (last !== undefined) return nameLatest(platform, directory, last);
    const archive = await writeArchive(directory, files);
    const { sha256, bytes, path } = archive;
    writeReleaseNote(platform, directory, { sha256, bytes, path: relative(root, path), content });
    return nameLatest(platform, directory, archive);
  } finally {
    await rm(workshop, { recursive: true, force: true });
  }
}

/** Gives the archive a second name that stays the same: the Dockerfile cannot read the note. */
function nameLatest(platform: ReleasePlatform, directory: string, archive: Archive): Archive {
  const name = join(directory, `latest-${platform}.tar.gz`);
  const unfinished = `${name}.${process.pid}`;
  linkSync(archive.path, unfinished);
  renameSync(unfinished, name);
  // A rename of one name of a file to another of its names changes nothing.
  rmSync(unfinished, { force: true });
  return archive;
}

/**
 * The archive that was built last, if it was made from the same content and neither it nor its note has changed since.
 */
async function findArchive(
  platform: ReleasePlatform,
  directory: string,
  content: string,
): Promise<Archive | undefined> {
  const note = findReadableNote(platform, directory);
  if (note === undefined || note.content !== content) return undefined;
  const path = resolve(root, note.path);
  if (!existsSync(path) || (await hashFile(path)) !== note.sha256) return undefined;
  return { sha256: note.sha256, bytes: statSync(path).size, path };
}

async function gatherFiles(platform: ReleasePlatform, workshop: string): Promise<ArchiveFile[]> {
  const [node, litestream, caddy] = await Promise.all([
    resolveNode(platform, workshop),
    resolveBinary(manifest.litestream, { platform }),
    resolveBinary("caddy", { platform }),
  ]);
  const app = join(workshop, "app");
  await mkdir(app);
  await bundleApp(appSources, app, platform);
  const version = {
    format: 1,
    platform,
    lifeboat: readOwnVersion(),
    node: node.version,
    litestream: manifest.litestream.version,
    caddy: manifest.caddy.version,
  };
  return [
    { name: "bin/node", executable: true, path: node.path },
    { name: "bin/litestream", executable: true, path: litestream },
    { name: "bin/caddy", executable: true, path: caddy },
    { name: "VERSION.json", executable: false, text: `${JSON.stringify(version, null, 2)}\n` },
    ...listFiles(app).map((name) => ({ name: `app/${name}`, executable: false, path: join(app, name) })),
    ...releaseFiles(),
  ];
}

function readOwnVersion(): string {
  return Value.Parse(
    Type.Object({ version: Type.String() }),
    JSON.parse(readFileSync(join(root, "package.json"), "utf8")),
  ).version;
}
