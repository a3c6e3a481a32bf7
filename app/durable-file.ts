import { closeSync, fsyncSync, openSync, readFileSync, renameSync, statfsSync, statSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

/**
 * Writes a small file so that it is complete or absent after a power loss: temporary file, fsync, rename, fsync of the
 * directory.
 */
export function writeDurably(path: string, text: string): void {
  const temporary = `${path}.tmp`;
  const file = openSync(temporary, "w", 0o600);
  try {
    writeFileSync(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(temporary, path);
  fsyncPath(dirname(path));
}

/** Flushes a file's content, or a directory's names, to the disk. */
export function fsyncPath(path: string): void {
  const handle = openSync(path, "r");
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

/** Size of a file in bytes. 0 when it does not exist. */
export function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

/** Reads a text file. Null when it does not exist. Every other failure is thrown. */
export function readOptionalFile(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return null;
    throw error;
  }
}

/** Free and total bytes of a directory's file system, and whether it is one in memory. */
export function measureSpace(directory: string): { freeBytes: number; totalBytes: number; isMemory: boolean } {
  const { bavail, blocks, bsize, type } = statfsSync(directory);
  return { freeBytes: bavail * bsize, totalBytes: blocks * bsize, isMemory: memoryFilesystems.has(type) };
}

/** tmpfs and ramfs, from linux/magic.h. A database there would use up the app's memory. */
const memoryFilesystems: ReadonlySet<number> = new Set([0x01_02_19_94, 0x85_84_58_f6]);
