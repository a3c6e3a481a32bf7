import { readdirSync, readlinkSync } from "node:fs";

import { listFileLocks, readKernelTable } from "../database/file-locks.ts";

type Places = { socketPath: string; lockPath?: string };

/**
 * Finds the processes that the kernel knows as the Litestream of these places, this process never among
 * them. `told` is the pid that it names itself, null when it does not answer: worth nothing alone.
 *
 * Its sandbox hides it from us in /proc, so that its open files cannot be read there; its flock(1) lock can.
 */
export function findLitestream(told: number | null, { socketPath, lockPath }: Places): number[] {
  const listening = findListeners(socketPath);
  const locking = lockPath === undefined ? [] : findLockHolders(lockPath, told);
  return [...new Set([...listening, ...locking])].filter((pid) => pid > 1 && pid !== process.pid);
}

// Linux's __SO_ACCEPTCON: the socket listens. Accepted connections carry its path too.
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

/** Nothing for a process that is gone, or hidden from us. */
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

function findLockHolders(lockPath: string, told: number | null): number[] {
  const locks = listFileLocks(lockPath) ?? [];
  const held = locks.filter(({ type, mode }) => type === "flock" && mode === "write");
  // Where the device does not tell, the process must have named itself as well.
  return held.filter(({ isDevice, pid }) => isDevice || pid === told).map(({ pid }) => pid);
}
