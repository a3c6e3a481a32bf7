import { readdirSync } from "node:fs";
import { join, relative } from "node:path";

import type { ArchiveFile } from "./write-archive.ts";

const folder = join(import.meta.dirname, "../../cloud-init/release");

/** The files of a release besides the programs: its units, and the scripts that activate it. */
export function releaseFiles(): ArchiveFile[] {
  return listFiles(folder).map((name) => ({ name, executable: name.startsWith("bin/"), path: join(folder, name) }));
}

/** The files under a directory, with their relative paths. */
export function listFiles(directory: string): string[] {
  const entries = readdirSync(directory, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(directory, join(entry.parentPath, entry.name)));
}
