import { statSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

import { startWriter } from "../../app/database/start-writer.ts";
import { WriteRefused } from "../../app/database/write-outcome.ts";
import type { Writer } from "../../app/database/writer.ts";
import { writerLimits } from "../../app/life.ts";
import { waitFor, within } from "../cli/wait-for.ts";
import { Leftovers } from "../local/leftovers.ts";
import type { StoreAccess } from "../local/seaweed-store.ts";
import { bootFor, holdSnapshot, startLitestream } from "./long-reader-site.ts";
import { makeScratchDirectory } from "./scratch-directory.ts";

/** One write of the load: when it was sent, how long it took, how much of the WAL was in use, and how it ended. */
export type Write = { sentMs: number; tookMs: number; walBytes: number; outcome: string };
type Moments = { heldMs: number; reachedMs: number | null; releasedMs: number; acceptedMs: number };
export type LongReaderRun = {
  name: string;
  writes: readonly Write[];
  moments: Moments;
  walAfter: { usedBytes: number; fileBytes: number };
};

const mebibyte = 1024 * 1024;
/** Litestream 0.5.17's own threshold: about 500 MB. */
export const litestreamDefaultPages = 121_359;
const documentBytes = 64 * 1024;
const clients = 8;
/** What the machine keeps up with at most; a write that is still under way is waited for. */
const bytesPerSecond = 15 * mebibyte;
const afterLimitMs = 20_000;
const afterReleaseMs = 20_000;
/** Past the limit at the paced rate, with time to spare for writes that stall. */
const holdLimitMs = 120_000;

export type LongReaderCase = {
  name: string;
  /** Litestream's threshold for its blocking checkpoint; null for ours. */
  truncatePages: number | null;
  /** The share of the guard's limit at which the reader ends; null when it stays until 20 s after the limit. */
  endAtShare: number | null;
};

/**
 * Holds a snapshot in another process while eight clients write 15 MB/s beside the real Litestream, until the case says
 * so, or for two minutes; then ends the reader and goes on for 20 s.
 */
export async function measureLongReader(
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
    threadUrl: new URL("./documents-thread.ts", import.meta.url),
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
export const longReaderCases: readonly LongReaderCase[] = [
  { name: "Litestream's default threshold", truncatePages: litestreamDefaultPages, endAtShare: null },
  { name: "ours: no threshold", truncatePages: null, endAtShare: null },
  { name: "ours, the reader ends at 90 % of the limit", truncatePages: null, endAtShare: 0.9 },
];
