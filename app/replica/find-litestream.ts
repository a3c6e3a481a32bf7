import { readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";

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
  const inodes = readLines("/proc/net/unix").flatMap((line) => {
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
  const lock = statSync(lockPath, { throwIfNoEntry: false });
  if (lock === undefined) return [];
  return readLines("/proc/locks").flatMap((line) => {
    const found = /^\d+: FLOCK +ADVISORY +WRITE +(\d+) +([0-9a-f]+):([0-9a-f]+):(\d+) /.exec(line);
    if (found === null || Number(found[4]) !== lock.ino) return [];
    const pid = Number(found[1]);
    // Btrfs tells another device here than stat does; then the process must have named itself as well.
    const isDevice = `${found[2]}:${found[3]}` === describeDevice(lock.dev);
    return isDevice || pid === told ? [pid] : [];
  });
}

// The kernel's own layout of a device number, as glibc's major() and minor() read it.
function describeDevice(device: number): string {
  const major = (device >> 8) & 0xf_ff;
  const minor = (device & 0xff) | ((device >> 12) & 0xf_ff_00);
  return [major, minor].map((part) => part.toString(16).padStart(2, "0")).join(":");
}

function readLines(path: string): string[] {
  try {
    return readFileSync(path, "utf8").split("\n");
  } catch (error) {
    // Only Linux has them; elsewhere nothing can be confirmed, so nothing is killed.
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return [];
    throw error;
  }
}
