import { readFileSync, statSync } from "node:fs";

/** A lock that a process holds on a file. `flock` covers the whole file, `posix` the bytes from first to last. */
export type FileLock = {
  type: "flock" | "posix";
  mode: "read" | "write";
  pid: number;
  first: number;
  last: number;
  /**
   * False where the kernel reports another device here than stat does, as on Btrfs. Then only the inode identifies the
   * file.
   */
  isDevice: boolean;
};

/**
 * The locks on a file that the kernel shows to this process. Holders in another PID namespace are missing. Null where
 * the kernel shows nothing. Never opens the file: closing it would drop this process's own locks on it.
 */
export function listFileLocks(path: string): FileLock[] | null {
  const file = statSync(path, { throwIfNoEntry: false });
  const lines = readKernelTable("/proc/locks");
  if (lines === null) return null;
  if (file === undefined) return [];
  const device = describeDevice(file.dev);
  return lines.flatMap((line) => parseLock(line, file.ino, device));
}

/** The lines of a kernel table. Null when it does not exist or is hidden from this process. */
export function readKernelTable(path: string): string[] | null {
  try {
    return readFileSync(path, "utf8").split("\n");
  } catch {
    return null;
  }
}

// Lines of waiting processes have an arrow before the type.
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

// The kernel's layout of a device number, as in glibc's major() and minor().
function describeDevice(device: number): string {
  const major = (device >> 8) & 0xf_ff;
  const minor = (device & 0xff) | ((device >> 12) & 0xf_ff_00);
  return [major, minor].map((part) => part.toString(16).padStart(2, "0")).join(":");
}
