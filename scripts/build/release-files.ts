import { readdirSync } from "node:fs";
import { join, relative } from "node:path";

import type { ArchiveFile } from "./write-archive.ts";

const folder = join(import.meta.dirname, "../../cloud-init/release");

/** What a release brings beside the programs: its units, and the scripts that make it the current one. */
export function releaseFiles(): ArchiveFile[] {
  return listFiles(folder).map((name) => ({ name, executable: name.startsWith("bin/"), path: join(folder, name) }));
}

/** The files under a directory, by their path from there. */
export function listFiles(directory: string): string[] {
  const entries = readdirSync(directory, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(directory, join(entry.parentPath, entry.name)));
}
