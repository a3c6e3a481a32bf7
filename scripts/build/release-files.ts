import { readdirSync } from "node:fs";
import { join, relative } from "node:path";

import type { ArchiveFile } from "./write-archive.ts";

const folder = join(import.meta.dirname, "../../cloud-init/release");
const remote = join(import.meta.dirname, "../remote");

/** The files of a release besides the programs: its units, its scripts, and those that also come by SSH. */
export function releaseFiles(): ArchiveFile[] {
  const own = listFiles(folder).map((name) => ({
    name,
    executable: name.startsWith("bin/"),
    path: join(folder, name),
  }));
  const sent = ["bring-up", "stop-services"].map((name) => ({
    name: `bin/${name}`,
    executable: true,
    path: join(remote, `${name}.sh`),
  }));
  return [...own, ...sent];
}

/** The files under a directory, with their relative paths. */
export function listFiles(directory: string): string[] {
  const entries = readdirSync(directory, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(directory, join(entry.parentPath, entry.name)));
}
