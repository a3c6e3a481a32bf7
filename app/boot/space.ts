import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { measureSpace } from "../durable-file.ts";
import { BucketError } from "../replica/bucket-error.ts";
import type { Bucket } from "../replica/bucket.ts";
import { type Chain, epochPrefix, ltxHeaderBytes, readLtxHeader } from "../replica/chain.ts";
import type { Claim } from "../replica/claim.ts";
import type { Machine, MachineFiles } from "../replica/machine.ts";
import { type BootFacts, BootRefused, chainOfParent, isAsStopped } from "./decide-boot.ts";
import { measureQuarantine } from "./quarantine.ts";

/**
 * Makes sure before the claim that there is room for what the claim restores. A machine that found out later would have
 * won an epoch that it cannot fill. Returns the machine, if necessary with another place for the restored copy. A copy
 * that is only compared may lie in the scratch directory. One that is to be served must fit beside the old files on the
 * volume, because those are set aside and never deleted. Throws BootRefused, BucketError.
 */
export async function findRoom(
  bucket: Bucket,
  machine: Machine,
  { facts, plan }: { facts: BootFacts; plan: Claim },
): Promise<Machine> {
  const places = [machine.files.restored, ...scratchOf(machine)];
  // Leftovers of a killed boot do not count as used: the next restore would remove them as well.
  for (const path of places) rmSync(path, { recursive: true, force: true });
  if (plan.parent === null || !restores(plan, facts)) return machine;
  const chain = chainOfParent(facts, plan);
  const bytes = await fetchSizeInTime(bucket, plan.parent.epoch, chain);
  if (bytes === null || missingBytes(machine.files.dataDirectory, bytes) === 0) return machine;
  const [scratch] = plan.content === "compare" ? scratchOf(machine) : [];
  if (scratch !== undefined && holdsScratch(scratch, bytes)) {
    return { ...machine, files: { ...machine.files, restored: scratch } };
  }
  throw refuseForRoom(machine, { row: plan.row, bytes });
}

/** Whether a replica is restored to the scratch directory, from which it cannot be served. */
export function isInScratch({ restored, dataDirectory }: MachineFiles): boolean {
  return join(restored, "..") !== join(dataDirectory);
}

/** Refuses for lack of room: says how much is missing and how to make room. `because` stands before that. */
export function refuseForRoom(
  machine: Machine,
  { row, bytes, because = "" }: { row: number; bytes: number; because?: string },
): BootRefused {
  const { dataDirectory } = machine.files;
  const { freeBytes, totalBytes } = measureSpace(dataDirectory);
  const missing = Math.max(missingBytes(dataDirectory, bytes), marginBytes);
  const cause =
    `${because}a database of ${inMb(bytes)} needs as much room in ${dataDirectory}, ` +
    `and ${inMb(freeBytes)} are free: ${inMb(missing)} are missing`;
  return new BootRefused({ row, cause, next: adviseOnRoom(machine, totalBytes + missing) });
}

/** Cause and next step for a disk that turned out to be full. Another try would end the same way. */
export function tellFullDisk(machine: Machine, cause: string): { cause: string; next: string } {
  const { freeBytes, totalBytes } = measureSpace(machine.files.dataDirectory);
  return {
    cause: `${cause} (${inMb(freeBytes)} are free in ${machine.files.dataDirectory})`,
    next: adviseOnRoom(machine, totalBytes + gibibyte),
  };
}

type Readable = Pick<Bucket, "list" | "getStart">;

/** Whether a claim reads the replica at all. */
function restores({ content }: Claim, facts: BootFacts): boolean {
  return content === "restore" || (content === "compare" && !isAsStopped(facts, facts.position));
}

/**
 * The exact size of what an epoch restores to, from the header of its newest file. Null when no such file can be read.
 * The listed sizes do not help: the files are compressed.
 */
export async function fetchRestoredSize(bucket: Readable, epoch: string, chain: Chain): Promise<number | null> {
  if (chain.state !== "whole") return null;
  const { newestTxid } = chain;
  const single = `${epochPrefix(epoch)}0000/${newestTxid}-${newestTxid}.ltx`;
  const size = await fetchSize(bucket, single);
  if (size !== null) return size;
  // Compaction has merged it into a longer file.
  for await (const key of bucket.list(epochPrefix(epoch))) {
    if (key !== single && key.endsWith(`-${newestTxid}.ltx`)) return fetchSize(bucket, key);
  }
  return null;
}

/** A size that cannot be read in time must not stop the boot: a disk that runs full is reported anyway. */
function fetchSizeInTime(bucket: Bucket, epoch: string, chain: Chain): Promise<number | null> {
  const fetching = fetchRestoredSize(bucket, epoch, chain).catch((error: unknown) => {
    if (error instanceof BucketError) return null;
    throw error;
  });
  return Promise.race([fetching, sleep(sizeLimitMs, null, { ref: false })]);
}

async function fetchSize(bucket: Readable, key: string): Promise<number | null> {
  try {
    return readLtxHeader(await bucket.getStart(key, ltxHeaderBytes))?.databaseBytes ?? null;
  } catch (error) {
    if (error instanceof BucketError && error.kind === "missing") return null;
    throw error;
  }
}

const sizeLimitMs = 3_000;
const gibibyte = 1024 ** 3;
/** For SQLite's files beside a database, and for our own small files. */
const marginBytes = 1024 ** 2;
/** The scratch directory lies on the system's disk, which must not run full. */
const scratchMarginBytes = 64 * 1024 ** 2;

function scratchOf({ scratchDirectory }: Machine): string[] {
  return scratchDirectory === undefined ? [] : [join(scratchDirectory, "restored")];
}

function holdsScratch(scratch: string, bytes: number): boolean {
  const directory = join(scratch, "..");
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const { freeBytes, isMemory } = measureSpace(directory);
  return !isMemory && freeBytes >= bytes + scratchMarginBytes;
}

function missingBytes(directory: string, bytes: number): number {
  return Math.max(0, bytes + marginBytes - measureSpace(directory).freeBytes);
}

function adviseOnRoom({ files }: Machine, neededBytes: number): string {
  const gigabytes = Math.ceil((neededBytes * 1.05) / gibibyte);
  const grow = `make the volume larger: pulumi config set volumeSizeGb ${gigabytes} (or more) && npm run up`;
  const { count, bytes } = measureQuarantine(files);
  if (count === 0) return grow;
  return `${grow}; or move away what nobody needs in ${files.quarantine}: ${count} earlier databases, ${inMb(bytes)}`;
}

function inMb(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
