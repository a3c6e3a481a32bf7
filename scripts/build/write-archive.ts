import { createHash, randomUUID } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { mkdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";

import { renderTarHeader, renderTarPadding, tarEnd } from "./tar-header.ts";

/** A file of the archive: from the disk, or given as text. */
export type ArchiveFile = { name: string; executable: boolean } & ({ path: string } | { text: string });

export type Archive = { sha256: string; bytes: number; path: string };

/**
 * Writes the files, by name, into `directory`/<sha256>.tar.gz. The same files make the same bytes, with the same Node:
 * the archive contains neither times nor owners, but the compression depends on zlib's version. An existing archive is
 * written again. `level` is gzip's: 9 compresses most.
 */
export async function writeArchive(directory: string, files: readonly ArchiveFile[], level = 9): Promise<Archive> {
  await mkdir(directory, { recursive: true });
  const unnamed = join(directory, `.${randomUUID()}`);
  const hash = createHash("sha256");
  let bytes = 0;
  const measure = async function* (chunks: AsyncIterable<Buffer>) {
    for await (const chunk of chunks) {
      hash.update(chunk);
      bytes += chunk.length;
      yield chunk;
    }
  };
  try {
    await pipeline(tar(files), createGzip({ level }), measure, createWriteStream(unnamed));
    const sha256 = hash.digest("hex");
    const path = join(directory, `${sha256}.tar.gz`);
    await rename(unnamed, path);
    return { sha256, bytes, path };
  } finally {
    await rm(unnamed, { force: true });
  }
}

/**
 * A digest of everything that the archive depends on, in a hundredth of the time: the tar of the files, and zlib's
 * version.
 */
export async function digestContent(files: readonly ArchiveFile[], level = 9): Promise<string> {
  const hash = createHash("sha256").update(`${process.versions["zlib"]} ${level}\n`);
  for await (const chunk of tar(files)) hash.update(chunk);
  return hash.digest("hex");
}

async function* tar(files: readonly ArchiveFile[]): AsyncGenerator<Buffer> {
  for (const file of files.toSorted((left, right) => (left.name < right.name ? -1 : 1))) {
    const bytes = "text" in file ? Buffer.byteLength(file.text) : (await stat(file.path)).size;
    yield renderTarHeader({ ...file, bytes });
    if ("text" in file) yield Buffer.from(file.text);
    else yield* createReadStream(file.path, { highWaterMark: 1024 * 1024 });
    yield renderTarPadding(bytes);
  }
  yield tarEnd;
}
