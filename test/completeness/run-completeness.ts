import { closeSync, mkdtempSync, openSync, readSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

import { waitFor, within } from "../../app/cli/wait-for.ts";
import { openDatabase } from "../../app/database/open-database.ts";
import { litestreamConfig, litestreamEnvironment } from "../../app/replica/litestream-config.ts";
import { syncReplica } from "../../app/replica/litestream.ts";
import { type Machine, machineFiles } from "../../app/replica/machine.ts";
import { restoreEpoch } from "../../app/replica/restore.ts";
import type { BucketConfig } from "../../app/replica/s3-client.ts";
import { resolveBinary } from "../../scripts/build/resolve-binary.ts";
import { Leftovers } from "../../scripts/local/leftovers.ts";
import { type ProcessGroup, startProcessGroup } from "../../scripts/local/process-group.ts";

export type CompletenessOptions = Readonly<{
  bucket: BucketConfig;
  seconds: number;
  rowsPerSecond: number;
  /** The writer's wal_autocheckpoint, set after openDatabase; null leaves what openDatabase chose. */
  autocheckpoint: number | null;
  /** Litestream's monitor-interval. */
  monitorMs: number;
  /** Litestream checkpoints when the WAL has this many pages. Small: thousands of checkpoints race with the writer. */
  checkpointPages: number;
  /** The pause between two syncs is a random part of this. */
  syncEveryMs: number;
}>;

/** `missing` and `differing` count rows of the source that the restored database does not have, or not like that. */
export type Completeness = Readonly<{
  rows: number;
  missing: number;
  differing: number;
  syncs: number;
  /** How often the WAL was restarted. Each restart is one run of the race. */
  walRestarts: number;
  examples: readonly number[];
}>;

/**
 * The WAL is full for Litestream just when it is full for SQLite's default: nothing else made rows vanish as surely.
 */
export const collidingThresholds = { rowsPerSecond: 3_000, monitorMs: 1_000, checkpointPages: 1_000, syncEveryMs: 200 };

/** Litestream checkpoints as often as it can. */
export const constantCheckpoints = { rowsPerSecond: 3_000, monitorMs: 20, checkpointPages: 1, syncEveryMs: 50 };

const epoch = "0001-00000000";
const waitMs = 20_000;

/**
 * Is the restored database the source, row for row? A writer process at full speed, the real Litestream with its
 * checkpoints racing, syncs on demand as `bucket` writes cause them; then the writer is killed, a last sync answered,
 * Litestream killed, and what restores is compared with what was there. A green sync and integrity_check prove nothing.
 */
export async function runCompleteness(options: CompletenessOptions): Promise<Completeness> {
  const directory = mkdtempSync(join(tmpdir(), "lifeboat-complete-"));
  const leftovers = new Leftovers();
  leftovers.addPath(directory);
  try {
    const machine = await prepareMachine(directory, options);
    const litestream = startLitestream(machine, leftovers);
    const writer = startWriter(machine, options, leftovers);
    await waitFor("the first sync", () => sync(machine), { timeoutMs: waitMs });
    const syncs = await syncOnDemand(machine, options);
    await kill(writer);
    await sync(machine);
    await kill(litestream);
    const { path } = await restoreEpoch(machine, epoch, { stallLimitMs: waitMs });
    return {
      ...compareRows(machine.files.database, path),
      syncs,
      walRestarts: readWalRestarts(`${machine.files.database}-wal`),
    };
  } finally {
    leftovers.clear();
    await rm(directory, { recursive: true, force: true });
  }
}

async function prepareMachine(directory: string, options: CompletenessOptions): Promise<Machine> {
  const machine: Machine = {
    machineId: "completeness",
    bootId: "completeness",
    files: machineFiles(directory, directory),
    bucket: options.bucket,
    bucketId: "completeness",
    litestreamPath: await resolveBinary("litestream"),
    replicationIntervalMs: options.monitorMs,
    syncsPerMonth: 26_000_000,
    retentionHours: 24,
    acceptAdvisoryFence: false,
  };
  const config = litestreamConfig(machine, epoch);
  const [db] = config.dbs;
  const raced = { ...config, dbs: [{ ...db, "min-checkpoint-page-count": options.checkpointPages }] };
  writeFileSync(machine.files.litestreamConfig, JSON.stringify(raced), { mode: 0o600 });
  return machine;
}

function startLitestream(machine: Machine, leftovers: Leftovers): ProcessGroup {
  const entries = Object.entries(litestreamEnvironment(machine));
  const environment = Object.fromEntries(
    entries.flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
  const directory = machine.files.runDirectory;
  const command = { file: machine.litestreamPath, words: ["replicate", "-config", machine.files.litestreamConfig] };
  return startProcessGroup(command, { environment, directory, logFile: join(directory, "litestream.log"), leftovers });
}

function startWriter(
  machine: Machine,
  { rowsPerSecond, autocheckpoint }: CompletenessOptions,
  leftovers: Leftovers,
): ProcessGroup {
  const program = fileURLToPath(new URL("./write-rows.ts", import.meta.url));
  const words = [program, machine.files.database, String(rowsPerSecond)];
  if (autocheckpoint !== null) words.push(String(autocheckpoint));
  const directory = machine.files.runDirectory;
  return startProcessGroup(
    { file: process.execPath, words },
    { environment: {}, directory, logFile: join(directory, "writer.log"), leftovers },
  );
}

function sync({ files }: Machine): Promise<string> {
  return syncReplica(files.litestreamSocket, files.database, waitMs);
}

async function syncOnDemand(machine: Machine, { seconds, syncEveryMs }: CompletenessOptions): Promise<number> {
  const deadline = performance.now() + seconds * 1000;
  let syncs = 0;
  for (; performance.now() < deadline; syncs += 1) {
    await sync(machine);
    await sleep(Math.random() * syncEveryMs);
  }
  return syncs;
}

async function kill(group: ProcessGroup): Promise<void> {
  group.signal("SIGKILL");
  await within("the end of a killed process", waitMs, group.exited);
}

function compareRows(
  sourcePath: string,
  restoredPath: string,
): Pick<Completeness, "rows" | "missing" | "differing" | "examples"> {
  const source = openDatabase(sourcePath, "reader");
  const restored = openDatabase(restoredPath, "reader");
  try {
    const find = restored.prepare<[number], string>("select body from rows not indexed where id = ?").pluck();
    const missing: number[] = [];
    const differing: number[] = [];
    let rows = 0;
    for (const { id, body } of source
      .prepare<[], { id: number; body: string }>("select id, body from rows")
      .iterate()) {
      rows += 1;
      const found = find.get(id);
      if (found === undefined) missing.push(id);
      else if (found !== body) differing.push(id);
    }
    return {
      rows,
      missing: missing.length,
      differing: differing.length,
      examples: [...missing, ...differing].slice(0, 10),
    };
  } finally {
    source.close();
    restored.close();
  }
}

/** SQLite counts the restarts of a WAL in its header, in bytes 12 to 15 (fileformat2, section 4.1). */
function readWalRestarts(walPath: string): number {
  const header = Buffer.alloc(16);
  const file = openSync(walPath, "r");
  readSync(file, header, 0, header.length, 0);
  closeSync(file);
  return header.readUInt32BE(12);
}
