import { statSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

import { waitFor, within } from "../../../app/cli/wait-for.ts";
import { startWriter } from "../../../app/database/start-writer.ts";
import { WriteRefused } from "../../../app/database/write-outcome.ts";
import type { Writer } from "../../../app/database/writer.ts";
import { writerLimits } from "../../../app/writer-limits.ts";
import { Leftovers } from "../../local/leftovers.ts";
import type { StoreAccess } from "../../local/seaweed-store.ts";
import type { Area, BenchRun } from "../bench-run.ts";
import { bootFor, holdSnapshot, startLitestream } from "../servers/litestream-site.ts";
import { makeScratchDirectory } from "../servers/scratch-directory.ts";
import { litestreamDefaultPages, type LongReaderRun, renderLongReader, type Write } from "./render-long-reader.ts";

/** What a reader that stays open does to writes beside Litestream (ADR 20). */
export const longReader: Area = {
  name: "long-reader",
  about: "what a reader that stays open does to writes",
  onlyNamed: "eight minutes",
  roomBytes: () => 2.5e9,
  measure: measureLongReaders,
};

async function measureLongReaders(bench: BenchRun): Promise<void> {
  const store = await bench.site.openStore();
  for (const [index, one] of longReaderCases.entries()) {
    const run = await measureLongReader(one, { parent: bench.site.directory, store });
    bench.add({
      id: `long-reader-${index + 1}`,
      title: `A reader that stays open: ${one.name}`,
      about: "Eight clients write 64 KiB each at `disk`, 15 MB/s at most, beside Litestream. One run.",
      metric: "worstMs",
      baseline: null,
      rows: [],
      text: renderLongReader(run),
    });
  }
}

const mebibyte = 1024 * 1024;
const documentBytes = 64 * 1024;
const clients = 8;
/** The rate that a machine can sustain. A pending write is waited for. */
const bytesPerSecond = 15 * mebibyte;
const afterLimitMs = 20_000;
const afterReleaseMs = 20_000;
/** Beyond the limit at the paced rate, with time for writes that stall. */
const holdLimitMs = 120_000;

type LongReaderCase = {
  name: string;
  /** Litestream's threshold for its blocking checkpoint. Null for ours. */
  truncatePages: number | null;
  /** The share of the guard's limit at which the reader ends. Null when it stays until 20 s after the limit. */
  endAtShare: number | null;
};

/**
 * Holds a snapshot in another process while eight clients write 15 MB/s beside the real Litestream, until the case ends
 * it, or for two minutes. Then ends the reader and continues for 20 s.
 */
async function measureLongReader(
  { name, truncatePages, endAtShare }: LongReaderCase,
  { parent, store }: { parent: string; store: StoreAccess },
): Promise<LongReaderRun> {
  using scratch = makeScratchDirectory(parent);
  const leftovers = new Leftovers();
  const place = { directory: scratch.path, store, leftovers };
  const machine = await bootFor(place);
  const { database } = machine.files;
  const writer = await startWriter({
    databasePath: database,
    threadUrl: new URL("../../../app/calibration-thread.ts", import.meta.url),
    ...writerLimits,
    log: consoleLog,
  });
  const litestream = startLitestream(machine, truncatePages, place);
  const load = startLoad(writer);
  try {
    await sleep(5_000);
    const reader = await holdSnapshot(database);
    const heldMs = performance.now();
    const reachedMs = await waitForWal(writer, (endAtShare ?? 1) * writerLimits.walLimitBytes);
    if (reachedMs !== null && endAtShare === null) await sleep(afterLimitMs);
    const releasedMs = performance.now();
    await reader.end();
    const acceptedMs = await waitForWrite(load, releasedMs);
    await sleep(afterReleaseMs);
    const walAfter = { usedBytes: writer.walBytes, fileBytes: statSync(`${database}-wal`).size };
    const moments = { heldMs, reachedMs, releasedMs, acceptedMs };
    return { name, writes: await load.stop(), moments, walAfter };
  } finally {
    await load.stop();
    await writer.close();
    litestream.signal("SIGKILL");
    await within("the end of Litestream", 10_000, litestream.exited);
    leftovers.clear();
  }
}

const consoleLog = {
  info: () => undefined,
  warn: (fields: object, message: string) => console.error(`  ${message} ${JSON.stringify(fields)}`),
  error: (fields: object, message: string) => console.error(`  ${message} ${JSON.stringify(fields)}`),
};

type Load = { writes: Write[]; stop(): Promise<Write[]> };

/** Eight clients that write 15 MB/s together, each waiting for its answer. */
export function startLoad(writer: Writer): Load {
  const writes: Write[] = [];
  const load = { isOver: false };
  async function writeOn(client: number): Promise<void> {
    const paceMs = (1000 * clients * documentBytes) / bytesPerSecond;
    for (let count = 0, dueMs = performance.now(); !load.isOver; count++) {
      await sleep(Math.max(0, dueMs - performance.now()));
      const sentMs = performance.now();
      const { walBytes } = writer;
      const outcome = await writeOne(writer, `${client}-${count}`);
      writes.push({ sentMs, tookMs: performance.now() - sentMs, walBytes, outcome });
      dueMs = Math.max(dueMs + paceMs, sentMs);
    }
  }
  const done = Promise.all(Array.from({ length: clients }, (_, client) => writeOn(client)));
  return {
    writes,
    stop: async () => {
      load.isOver = true;
      await done;
      return writes;
    },
  };
}

async function writeOne(writer: Writer, id: string): Promise<string> {
  try {
    await writer.execute("add-document", { id, body: "x".repeat(documentBytes) }, { durability: "disk" });
    return "acknowledged";
  } catch (error) {
    if (error instanceof WriteRefused) return error.reason;
    throw error;
  }
}

async function waitForWal(writer: Writer, bytes: number): Promise<number | null> {
  const endMs = performance.now() + holdLimitMs;
  while (performance.now() < endMs) {
    if (writer.walBytes >= bytes) return performance.now();
    await sleep(20);
  }
  return null;
}

function waitForWrite({ writes }: Load, sinceMs: number): Promise<number> {
  const probe = async () => {
    const write = writes.findLast(({ sentMs, outcome }) => sentMs >= sinceMs && outcome === "acknowledged");
    return write === undefined ? null : performance.now();
  };
  return waitFor("a write after the reader's end", probe, { timeoutMs: 120_000, everyMs: 10 });
}

/** The cases worth comparing: Litestream's default against ours, and a reader that ends before anything is refused. */
const longReaderCases: readonly LongReaderCase[] = [
  { name: "Litestream's default threshold", truncatePages: litestreamDefaultPages, endAtShare: null },
  { name: "ours: no threshold", truncatePages: null, endAtShare: null },
  { name: "ours, the reader ends at 90 % of the limit", truncatePages: null, endAtShare: 0.9 },
];
