import { readFileSync, statSync } from "node:fs";

/** One lock that a process holds on a file. `flock` covers the whole file, `posix` its bytes from first to last. */
export type FileLock = {
  type: "flock" | "posix";
  mode: "read" | "write";
  pid: number;
  first: number;
  last: number;
  /** False where the kernel tells another device here than stat does, as Btrfs does; then only the inode is the file's. */
  isDevice: boolean;
};

/**
 * The locks on a file, as the kernel tells them to this process: a holder in another PID namespace is not among them.
 * Null where the kernel tells nothing. Never opens the file: closing it would drop this process's own locks on it.
 */
export function listFileLocks(path: string): FileLock[] | null {
  const file = statSync(path, { throwIfNoEntry: false });
  const lines = readKernelTable("/proc/locks");
  if (lines === null) return null;
  if (file === undefined) return [];
  const device = describeDevice(file.dev);
  return lines.flatMap((line) => parseLock(line, file.ino, device));
}

/** The lines of a table of the kernel; null where it has none, or shows this process none. */
export function readKernelTable(path: string): string[] | null {
  try {
    return readFileSync(path, "utf8").split("\n");
  } catch {
    return null;
  }
}

// Lines of those who wait have an arrow before the type.
const lockLine = /^\d+: (FLOCK|POSIX) +ADVISORY +(READ|WRITE) +(\d+) +([0-9a-f]+:[0-9a-f]+):(\d+) (\d+) (\d+|EOF)$/;

function parseLock(line: string, inode: number, device: string): FileLock[] {
  const [, type, mode, pid, lockedDevice, lockedInode, first, last] = lockLine.exec(line) ?? [];
  if (Number(lockedInode) !== inode) return [];
  return [
    {
      type: type === "FLOCK" ? "flock" : "posix",
      mode: mode === "READ" ? "read" : "write",
      pid: Number(pid),
      first: Number(first),
      last: last === "EOF" ? Number.POSITIVE_INFINITY : Number(last),
      isDevice: lockedDevice === device,
    },
  ];
}

// The kernel's own layout of a device number, as glibc's major() and minor() read it.
function describeDevice(device: number): string {
  const major = (device >> 8) & 0xf_ff;
  const minor = (device & 0xff) | ((device >> 12) & 0xf_ff_00);
  return [major, minor].map((part) => part.toString(16).padStart(2, "0")).join(":");
}
