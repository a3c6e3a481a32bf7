import { copyFileSync, existsSync, mkdirSync, readdirSync, renameSync, statSync } from "node:fs";
import { basename, join } from "node:path";

import { fsyncPath } from "../durable-file.ts";
import type { MachineFiles } from "../replica/machine.ts";
import type { Mark } from "../replica/mark.ts";

/**
 * The files that SQLite keeps beside a database. SQLite would read a stale one as the newest content of whatever
 * database lies beside it.
 */
const sidecars = ["-wal", "-shm", "-journal"];

/**
 * Moves the volume's database and its sidecars, with a copy of their mark, into a new folder under quarantine/. Nothing
 * there is ever deleted or overwritten. Returns the folder, or null when there was nothing to move. The database moves
 * first: a crash in between must not leave a database without its WAL.
 */
export function setAside(files: MachineFiles, mark: Mark | null): string | null {
  const found = ["", ...sidecars].map((suffix) => files.database + suffix).filter((path) => existsSync(path));
  if (found.length === 0) return null;
  const stamp = new Date().toISOString().replaceAll(":", "-");
  const folder = join(files.quarantine, `${stamp}-${mark?.epoch ?? "unmarked"}`);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (existsSync(files.mark)) copyFileSync(files.mark, join(folder, basename(files.mark)));
  for (const path of found) renameSync(path, join(folder, basename(path)));
  fsyncPath(folder);
  fsyncPath(files.quarantine);
  fsyncPath(files.dataDirectory);
  return folder;
}

/** Describes for a report about a full disk how many databases lie in quarantine, and how large they are. */
export function measureQuarantine(files: MachineFiles): { count: number; bytes: number } {
  const count = countQuarantined(files);
  if (count === 0) return { count, bytes: 0 };
  const found = readdirSync(files.quarantine, { recursive: true, withFileTypes: true });
  const sizes = found
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => statSync(join(parentPath, name)).size);
  return { count, bytes: sizes.reduce((sum, size) => sum + size, 0) };
}

/** How many databases lie in quarantine. */
export function countQuarantined(files: MachineFiles): number {
  return existsSync(files.quarantine) ? readdirSync(files.quarantine).length : 0;
}
