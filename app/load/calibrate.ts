import { mkdirSync, rmSync, statSync } from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";

import type Database from "better-sqlite3";

import { readDatabase } from "../database/open-database.ts";
import { openReader, type Reader } from "../database/reader.ts";
import { isOutOfSpace } from "../database/sqlite-failure.ts";
import { startWriter } from "../database/start-writer.ts";
import type { LocalDurability } from "../database/write-outcome.ts";
import type { Writer } from "../database/writer.ts";
import { measureSpace } from "../durable-file.ts";
import { lockDirectory } from "../replica/lock.ts";
import { machineFiles } from "../replica/machine.ts";
import { type Bounds, describeMachine, writeBounds } from "./bounds.ts";
import { demandRow, fillDocuments, nameDocument, readDocument } from "./documents.ts";
import { type Spread, toSpread } from "./spread.ts";

export type Calibration = {
  /** The data directory of an app that does not run. */
  directory: string;
  /** calibration-thread.ts, or what a release has made of it. */
  threadUrl: URL;
  /** How long one round of each measure takes. */
  roundMs: number;
};

/**
 * Measures what this machine can do at most, on the disk of a data directory, and stores it there. Throws
 * DirectoryInUse while an app serves from it, and Error when there is no such directory, or no room.
 */
export async function calibrate({ directory, threadUrl, roundMs }: Calibration): Promise<Bounds> {
  requireRoom(directory, roundMs);
  const files = machineFiles(directory, directory);
  using _directory = lockDirectory(files.lock);
  using scratch = makeScratch(directory);
  try {
    const bounds = await measureBounds({ scratch: scratch.path, threadUrl, roundMs });
    writeBounds(files.bounds, bounds);
    return bounds;
  } catch (error) {
    // SQLite tells of a full disk in many ways.
    if (!isOutOfSpace(error) && measureSpace(directory).freeBytes > fullBytes) throw error;
    throw new Error(`${directory} has no room left, so nothing was stored; make some, and try again`, { cause: error });
  }
}

/** Where its databases lie. Nobody else may have anything there: what a killed one has left is removed. */
export function scratchOf(directory: string): string {
  return join(directory, ".lifeboat-calibration");
}

const rounds = 5;
/** As many as fill a commit; more of them write no faster. */
const clients = 256;
const rowCount = 20_000;
/** No checkpoint gives back what the writes of all rounds take. */
const bytesPerMs = 150_000;
const leastBytes = 50e6;
const fullBytes = 1e6;

function requireRoom(directory: string, roundMs: number): void {
  if (!statSync(directory, { throwIfNoEntry: false })?.isDirectory())
    throw new Error(`${directory} is no directory; name the one that the app has its data in`);
  const { freeBytes, isMemory } = measureSpace(directory);
  if (isMemory) throw new Error(`${directory} is in memory, where an fsync costs nothing; name one on a disk`);
  const needBytes = leastBytes + 2 * rounds * roundMs * bytesPerMs;
  if (freeBytes < needBytes)
    throw new Error(
      `${directory} has ${inGb(freeBytes)} GB free, and the measurement may need ${inGb(needBytes)} GB; make some room`,
    );
}

function inGb(bytes: number): string {
  return (bytes / 1e9).toFixed(1);
}

/** A directory that is removed at the end of the block, and when somebody ends the process before. */
function makeScratch(directory: string): Disposable & { path: string } {
  const path = scratchOf(directory);
  const remove = () => rmSync(path, { recursive: true, force: true, maxRetries: 5 });
  const end = (signal: NodeJS.Signals) => {
    remove();
    process.exit(128 + constants.signals[signal]);
  };
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  remove();
  mkdirSync(path);
  for (const signal of signals) process.on(signal, end);
  const dispose = () => {
    for (const signal of signals) process.off(signal, end);
    remove();
  };
  return { path, [Symbol.dispose]: dispose };
}

type Place = { scratch: string; threadUrl: URL; roundMs: number };

async function measureBounds({ scratch, threadUrl, roundMs }: Place): Promise<Bounds> {
  const readPath = join(scratch, "reads.db");
  fillDocuments(readPath, { rowCount, bodyBytes: 100 });
  using reader = openReads(readPath);
  await using writer = await openWriter(join(scratch, "writes.db"), threadUrl);
  const measures = {
    commit: (measureMs: number) => countWrites(writer, "commit", measureMs),
    disk: (measureMs: number) => countWrites(writer, "disk", measureMs),
    reads: (measureMs: number) => countReads(reader, measureMs),
  };
  const perSecond: Record<keyof typeof measures, number[]> = { commit: [], disk: [], reads: [] };
  const names = ["commit", "disk", "reads"] as const;
  // The first reads and writes compile statements and code.
  for (const name of names) await measures[name](roundMs / 2);
  for (let turn = 0; turn < rounds * names.length; turn += 1) {
    // Each round begins with another one, so that nobody always follows the same.
    const name = names[(turn + Math.floor(turn / names.length)) % names.length] ?? "commit";
    perSecond[name].push(await measures[name](roundMs));
  }
  return {
    format: 1,
    measuredAt: new Date().toISOString(),
    machine: describeMachine(),
    versions: { node: process.version.slice(1), sqlite: readDatabase(readPath, readSqliteVersion) },
    rounds,
    writesPerSecond: { commit: spreadOf(perSecond.commit), disk: spreadOf(perSecond.disk) },
    pointReadsPerSecond: spreadOf(perSecond.reads),
  };
}

function readSqliteVersion(db: Database.Database): string {
  return db.prepare<[], string>("select sqlite_version()").pluck().get() ?? "unknown";
}

function openReads(path: string): Reader & Disposable {
  const reader = openReader(path);
  return { ...reader, [Symbol.dispose]: () => reader.close() };
}

async function openWriter(databasePath: string, threadUrl: URL): Promise<Writer & AsyncDisposable> {
  const writer = await startWriter({
    databasePath,
    threadUrl,
    queueLimit: 2 * clients,
    walAlarmBytes: Number.POSITIVE_INFINITY,
    walLimitBytes: Number.POSITIVE_INFINITY,
    log: { info: () => undefined, warn: () => undefined, error: () => undefined },
  });
  return Object.assign(writer, { [Symbol.asyncDispose]: () => writer.close() });
}

let written = 0;

/** Clients that each write a row and wait for its answer. */
async function countWrites(writer: Writer, durability: LocalDurability, measureMs: number): Promise<number> {
  const startMs = performance.now();
  const before = written;
  const write = async (): Promise<void> => {
    do {
      written += 1;
      const document = {
        id: `document-${String(written).padStart(9, "0")}`,
        body: `The words of ${written}`.padEnd(100),
      };
      await writer.execute("add-document", document, { durability });
    } while (performance.now() - startMs < measureMs);
  };
  await Promise.all(Array.from({ length: clients }, write));
  return (1000 * (written - before)) / (performance.now() - startMs);
}

function countReads(reader: Reader, measureMs: number): number {
  const startMs = performance.now();
  let count = 0;
  // The clock costs as much as a part of a read.
  do {
    demandRow(reader.read(readDocument(nameDocument(count, rowCount))));
    count += 1;
  } while (count % 100 !== 0 || performance.now() - startMs < measureMs);
  return (1000 * count) / (performance.now() - startMs);
}

/** Three digits: the rounds differ by more. */
function spreadOf(values: readonly number[]): Spread {
  const spread = toSpread(values.map((value) => Number(value.toPrecision(3))));
  if (spread === null) throw new Error("nothing was measured");
  return spread;
}
