import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { bootMachine } from "../../../app/boot/boot-machine.ts";
import { openLog } from "../../../app/log.ts";
import { litestreamEnvironment } from "../../../app/replica/litestream-config.ts";
import { type Machine, machineFiles } from "../../../app/replica/machine.ts";
import { resolveBinary } from "../../build/resolve-binary.ts";
import { prepareBucket } from "../../local/bucket-preparation.ts";
import type { Leftovers } from "../../local/leftovers.ts";
import { type ProcessGroup, startProcessGroup } from "../../local/process-group.ts";
import type { StoreAccess } from "../../local/seaweed-store.ts";

type Place = { directory: string; store: StoreAccess; leftovers: Leftovers };

/** A machine that has booted: its database exists, its Litestream does not run yet. */
export async function bootFor({ directory, store }: Place): Promise<Machine> {
  const { config: bucket, bucketId } = await prepareBucket(store, null);
  const machine: Machine = {
    machineId: randomUUID(),
    bootId: randomUUID(),
    files: machineFiles(join(directory, "data"), join(directory, "run")),
    bucket,
    bucketId,
    litestreamPath: await resolveBinary("litestream"),
    replicationIntervalMs: 1_000,
    syncsPerMonth: 26_000_000,
    retentionHours: 24,
    acceptAdvisoryFence: false,
  };
  const { outcome } = await bootMachine(machine, { log: openLog("silent") });
  if (outcome !== "claimed") throw new Error(`the boot of the measured machine ended as ${outcome}`);
  return machine;
}

/** Starts Litestream with the machine's configuration, with `truncatePages` as its threshold. */
export function startLitestream(machine: Machine, truncatePages: number | null, place: Place): ProcessGroup {
  const { files, litestreamPath: file } = machine;
  const text = readFileSync(files.litestreamConfig, "utf8");
  const line = /"truncate-page-n": -1/;
  if (!line.test(text)) throw new Error(`${files.litestreamConfig} does not set truncate-page-n to -1`);
  if (truncatePages !== null)
    writeFileSync(files.litestreamConfig, text.replace(line, `"truncate-page-n": ${truncatePages}`));
  const environment = Object.fromEntries(
    Object.entries(litestreamEnvironment(machine)).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, value]],
    ),
  );
  const logFile = join(place.directory, "litestream.log");
  const command = { file, words: ["replicate", "-config", files.litestreamConfig] };
  return startProcessGroup(command, { environment, directory: place.directory, logFile, leftovers: place.leftovers });
}

export type SnapshotHolder = { pid: number; end(): Promise<void> };

/** Makes another process hold a snapshot until it is told to end. */
export async function holdSnapshot(databasePath: string): Promise<SnapshotHolder> {
  const script = join(import.meta.dirname, "../rows/hold-snapshot.ts");
  const child = spawn(process.execPath, [script, databasePath], { stdio: ["pipe", "pipe", "inherit"] });
  const ended = once(child, "exit");
  const [said] = await Promise.race([once(child.stdout, "data"), ended]);
  if (String(said).trim() !== "held")
    throw new Error(`the reader ended with ${String(said)} before it held a snapshot`);
  const end = async () => {
    child.stdin.end();
    await ended;
  };
  return { pid: child.pid ?? 0, end };
}
