import { readdirSync, readlinkSync } from "node:fs";

import { listFileLocks, readKernelTable } from "../database/file-locks.ts";

type Places = { socketPath: string; lockPath?: string };

/**
 * Finds the processes that the kernel confirms as the Litestream of these paths, never this process. `reportedPid` is
 * the pid that Litestream reports, null when it does not answer. It is not trusted alone. Litestream's sandbox hides
 * its open files in /proc from us, but not its flock(1) lock.
 */
export function findLitestream(reportedPid: number | null, { socketPath, lockPath }: Places): number[] {
  const listening = findListeners(socketPath);
  const locking = lockPath === undefined ? [] : findLockHolders(lockPath, reportedPid);
  return [...new Set([...listening, ...locking])].filter((pid) => pid > 1 && pid !== process.pid);
}

// Linux's __SO_ACCEPTCON: the socket listens. Accepted connections have its path too.
const listeningFlag = 0x1_00_00;

function findListeners(socketPath: string): number[] {
  const inodes = (readKernelTable("/proc/net/unix") ?? []).flatMap((line) => {
    const [, , , flags = "", , , inode, ...path] = line.trim().split(/\s+/);
    const isOurs = path.join(" ") === socketPath && (Number.parseInt(flags, 16) & listeningFlag) !== 0;
    return isOurs ? [`socket:[${inode}]`] : [];
  });
  if (inodes.length === 0) return [];
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return pids.filter((pid) => listOpenFiles(pid).some((file) => inodes.includes(file))).map(Number);
}

/** Empty for a process that has ended, or is hidden from us. */
function listOpenFiles(pid: string): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).map((descriptor) => readLinkOrNothing(`/proc/${pid}/fd/${descriptor}`));
  } catch {
    return [];
  }
}

function readLinkOrNothing(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return "";
  }
}

function findLockHolders(lockPath: string, reportedPid: number | null): number[] {
  const locks = listFileLocks(lockPath) ?? [];
  const held = locks.filter(({ type, mode }) => type === "flock" && mode === "write");
  // Where the device is not reliable, the process must also have reported itself.
  return held.filter(({ isDevice, pid }) => isDevice || pid === reportedPid).map(({ pid }) => pid);
}
