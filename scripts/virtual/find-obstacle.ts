import { readFileSync } from "node:fs";

import { findOnPath } from "../build/find-on-path.ts";
import { emulator } from "./qemu-arguments.ts";
import { hasServerImage, type Suite } from "./server-image.ts";

/** The programs that servers here need, with the packages of Debian that hold them. */
const running = [
  [emulator, "qemu-system-x86"],
  ["setpriv", "util-linux"],
  ["ssh", "openssh-client"],
  ["openssl", "openssl"],
  ["curl", "curl"],
] as const;
/** And to make an image. */
const making = [
  ["mmdebstrap", "mmdebstrap"],
  ["mke2fs", "e2fsprogs"],
  ["sfdisk", "fdisk"],
] as const;

// What QEMU takes beyond the memory of the machine: its translations, and its buffers.
const aroundMb = 800;

/** What is asked of this computer. `servers`: how many run at the same time. */
export type Demand = Readonly<{ suite: Suite; servers: number; memoryMb: number }>;

/**
 * The first thing that keeps servers from running on this computer, and what to do about it, in one sentence; null when
 * there is none.
 */
export function findObstacle({ suite, servers, memoryMb }: Demand): string | null {
  if (process.platform !== "linux" || process.arch !== "x64")
    return "virtual machines are emulated on Linux on x64 only; use such a computer, or the process room: npm run drill";
  if (process.getuid?.() !== 0)
    return "virtual machines need root, for their image and for ports 22, 80 and 443 of a loopback address: use sudo";
  const tools = hasServerImage(suite) ? running : [...running, ...making];
  const searched = `${process.env["PATH"] ?? ""}:/usr/sbin:/sbin`;
  const missing = tools.filter(([tool]) => findOnPath(tool, searched).length === 0).map(([, name]) => name);
  if (missing.length > 0) return `virtual machines need ${missing.join(", ")}: apt install ${missing.join(" ")}`;
  const neededMb = servers * (memoryMb + aroundMb);
  const availableMb = readAvailableMb();
  if (availableMb >= neededMb) return null;
  return `${servers} virtual machines need ${neededMb} MB of memory, and ${availableMb} MB are available: end something that uses memory`;
}

function readAvailableMb(): number {
  const kilobytes = /^MemAvailable:\s+(\d+) kB$/m.exec(readFileSync("/proc/meminfo", "utf8"))?.[1];
  return Math.floor(Number(kilobytes ?? 0) / 1024);
}
