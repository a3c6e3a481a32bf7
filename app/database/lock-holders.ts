import { closeSync, openSync, readSync, statSync } from "node:fs";
import { endianness } from "node:os";
import { basename } from "node:path";

import { type FileLock, listFileLocks, readKernelTable } from "./file-locks.ts";

/** The path of the database, and of the file whose flock(1) lock its Litestream holds. */
export type LockPlaces = { databasePath: string; litestreamLock?: string };

/**
 * Names the process that holds the oldest snapshot, which keeps the WAL from being reset. A reader of the newest state
 * does not count. Returns "unknown" when the kernel shows no holder: it is in another PID namespace, or there is none.
 */
export function nameSnapshotHolders(places: LockPlaces): string {
  const locks = listWalIndexLocks(places);
  if (locks === null) return "unknown: the kernel does not tell here who holds a snapshot";
  const marks = readReadMarks(places.databasePath);
  const pids = marks === null ? findReaders(locks) : findOldestReaders(locks, marks);
  if (pids.length === 0)
    return "unknown: no process that is visible here holds an old snapshot; is Litestream running?";
  const names = pids.map((pid) => nameProcess(pid, places, "an own reader of this server"));
  return `held by ${names.join(" and ")}`;
}

/** Names the other process that holds the write lock. Null when no visible process does. */
export function nameForeignWriter(places: LockPlaces): string | null {
  const locks = listWalIndexLocks(places) ?? [];
  const writer = locks.find((lock) => lock.mode === "write" && covers(lock, writeByte) && lock.pid !== process.pid);
  return writer === undefined ? null : nameProcess(writer.pid, places, "this server");
}

// The lock bytes of the wal-index, and the header before them: sqlite.org/walformat.html, sections 2.1 and 2.3.
const writeByte = 120;
const firstReadByte = 123;
const readMarkCount = 5;
const frameCountOffset = 16;
const readMarksOffset = 100;
const headerBytes = 136;

type ReadMarks = { frames: number; marks: readonly number[] };

function listWalIndexLocks({ databasePath }: LockPlaces): FileLock[] | null {
  const locks = listFileLocks(`${databasePath}-shm`)?.filter(({ type }) => type === "posix") ?? null;
  const onDevice = locks?.filter(({ isDevice }) => isDevice) ?? [];
  return onDevice.length > 0 ? onDevice : locks;
}

function covers({ first, last }: FileLock, byte: number): boolean {
  return first <= byte && byte <= last;
}

function findReaders(locks: readonly FileLock[], indices: readonly number[] = [0, 1, 2, 3, 4]): number[] {
  const readers = locks.filter((lock) => indices.some((index) => covers(lock, firstReadByte + index)));
  return [...new Set(readers.map(({ pid }) => pid))];
}

function findOldestReaders(locks: readonly FileLock[], { frames, marks }: ReadMarks): number[] {
  const held = marks.map((frame, index) => ({ frame, index, pids: findReaders(locks, [index]) }));
  const old = held.filter(({ frame, pids }) => pids.length > 0 && frame < frames);
  const oldest = Math.min(...old.map(({ frame }) => frame));
  return [...new Set(old.filter(({ frame }) => frame === oldest).flatMap(({ pids }) => pids))];
}

/**
 * How many frames the WAL has, and up to which frame each read mark sees. Reads the wal-index from its mapping in this
 * process: opening and closing the file would drop the locks of all connections of this process.
 */
function readReadMarks(databasePath: string): ReadMarks | null {
  try {
    const address = findMapping(`${databasePath}-shm`);
    return address === null ? null : parseReadMarks(readOwnMemory(address));
  } catch {
    return null;
  }
}

function findMapping(path: string): number | null {
  const { ino } = statSync(path);
  for (const line of readKernelTable("/proc/self/maps") ?? []) {
    const [, start = "", inode, name] = /^([0-9a-f]+)-\S+ \S+ 0+ \S+ (\d+) +(.*)$/.exec(line) ?? [];
    if (Number(inode) === ino && name?.endsWith("-shm") === true) return Number.parseInt(start, 16);
  }
  return null;
}

function readOwnMemory(address: number): DataView {
  const memory = openSync("/proc/self/mem", "r");
  try {
    const header = new DataView(new ArrayBuffer(headerBytes));
    const read = readSync(memory, header, 0, headerBytes, address);
    if (read !== headerBytes) throw new Error(`only ${read} bytes of the wal-index could be read`);
    return header;
  } finally {
    closeSync(memory);
  }
}

// The wal-index uses the machine's byte order.
function parseReadMarks(header: DataView): ReadMarks {
  const isLittle = endianness() === "LE";
  const marks = Array.from({ length: readMarkCount }, (_, index) =>
    header.getUint32(readMarksOffset + 4 * index, isLittle),
  );
  return { frames: header.getUint32(frameCountOffset, isLittle), marks };
}

function nameProcess(pid: number, { litestreamLock }: LockPlaces, own: string): string {
  if (pid === process.pid) return `${own} (process ${pid})`;
  if (litestreamLock !== undefined && isHeldBy(litestreamLock, pid)) return `Litestream (process ${pid})`;
  const [command, ...others] = readNames(pid);
  if (command === undefined) return `process ${pid}, whose name is hidden from this one (ps -p ${pid} tells it)`;
  if (command === "litestream" && litestreamLock !== undefined)
    return `a Litestream that is not this database's own (process ${pid})`;
  const origin = readParent(pid) === process.pid ? ["started by this server"] : [];
  const details = [`process ${pid}`, ...others.map((comm) => `comm ${comm}`), ...origin];
  return `${command} (${details.join(", ")})`;
}

function isHeldBy(lockPath: string, pid: number): boolean {
  return (listFileLocks(lockPath) ?? []).some((lock) => lock.type === "flock" && lock.pid === pid);
}

/**
 * The command's name and, where it differs, the name of its main thread. The arguments are left out: they may hold
 * secrets.
 */
function readNames(pid: number): string[] {
  const comm = readKernelTable(`/proc/${pid}/comm`)?.[0];
  if (comm === undefined) return [];
  const [command = ""] = (readKernelTable(`/proc/${pid}/cmdline`)?.join("\n") ?? "").split("\0");
  return [...new Set([basename(command), comm])].filter((name) => name !== "");
}

// The command's name before it stands in parentheses, and may contain parentheses itself.
function readParent(pid: number): number {
  const stat = readKernelTable(`/proc/${pid}/stat`)?.join("\n") ?? "";
  return Number(stat.slice(stat.lastIndexOf(")")).split(" ")[2]);
}
