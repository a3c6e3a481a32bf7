import { spawnSync } from "node:child_process";
import { statfsSync } from "node:fs";
import { availableParallelism, cpus, loadavg, release, totalmem, type } from "node:os";

import { Refused } from "../../../app/cli/command-line.ts";
import { manifest } from "../../build/manifest.ts";
import { readLitestreamVersion } from "../../build/resolve-binary.ts";
import { readOwnSqliteVersion } from "../../build/sqlite-bound.ts";
import { pocketbasePin } from "../servers/pocketbase.ts";
import type { Report } from "./report.ts";

// statfs(2)'s f_type.
const fileSystemNames: Readonly<Record<number, string>> = {
  0xef53: "ext4",
  0x9123683e: "btrfs",
  0x58465342: "xfs",
  0x794c7630: "overlayfs",
  0x2fc12fc1: "zfs",
};
const tmpfs = 0x01021994;

/** The computer, for the report. */
export function readRig(directory: string): Report["rig"] {
  const { type: magic } = statfsSync(directory);
  return {
    processor: cpus()[0]?.model.trim() ?? "unknown processor",
    cores: availableParallelism(),
    memoryGb: Math.round(totalmem() / 1024 ** 3),
    kernel: `${type()} ${/^\d+\.\d+/.exec(release())?.[0] ?? release()}`,
    fileSystem: fileSystemNames[magic] ?? `file system 0x${magic.toString(16)}`,
    loadBefore: readLoad(),
    loadAfter: 0,
  };
}

/** The load average of the last minute. */
export function readLoad(): number {
  return Number(loadavg()[0]?.toFixed(1) ?? 0);
}

/** What is measured, and with what. */
export function readVersions(): Record<string, string> {
  return {
    node: process.version.slice(1),
    sqlite: readOwnSqliteVersion(),
    litestream: readLitestreamVersion(),
    caddy: manifest.caddy.version,
    seaweedfs: manifest.weed.version,
    pocketbase: pocketbasePin.version,
    "load generator": readWrkVersion() ?? "our own (wrk is not installed)",
  };
}

/** The version of the wrk on PATH. Null when there is none. */
function readWrkVersion(): string | null {
  const { stdout } = spawnSync("wrk", ["-v"], { encoding: "utf8" });
  return /^wrk \S+/.exec(stdout ?? "")?.[0] ?? null;
}

/** Throws Refused unless the directory lies on a disk with that much room. */
export function requireDisk(directory: string, bytes: number): void {
  const { type: magic, bavail, bsize } = statfsSync(directory);
  if (magic === tmpfs)
    throw new Refused(`${directory} is in memory, where an fsync costs nothing; name one on a disk with --directory`);
  const free = bavail * bsize;
  if (free < bytes)
    throw new Refused(
      `${directory} has ${inGb(free)} GB free and these rows need ${inGb(bytes)}; name another with --directory, or fewer rows with --rows`,
    );
}

function inGb(bytes: number): string {
  return (bytes / 1e9).toFixed(1);
}
