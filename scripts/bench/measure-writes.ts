import { join } from "node:path";

import { startWriter } from "../../app/database/start-writer.ts";
import type { LocalDurability } from "../../app/database/write-outcome.ts";
import type { Writer } from "../../app/database/writer.ts";
import type { Log } from "../../app/log.ts";
import { type Figures, takeQuantile, type Variant } from "./interleave.ts";
import { makeScratchDirectory } from "./scratch-directory.ts";

type WriteLoad = { parent: string; clients: number; roundMs: number };
/** The share of the writes that ask for `disk`. The others ask for `commit`. */
type DiskShare = { name: string; diskShare: number };

/** Compares `disk` for every write, `commit` for every write, and a mix with `disk` for one in ten. */
export function listWriteVariants(load: WriteLoad): Variant[] {
  const shares: DiskShare[] = [
    { name: "NORMAL (all commit)", diskShare: 0 },
    { name: "FULL for 1 in 10", diskShare: 0.1 },
    { name: "FULL always (all disk)", diskShare: 1 },
  ];
  return shares.map(({ name, diskShare }) => ({ name, measure: () => measureWrites(load, diskShare) }));
}

// A new database for each round, so that no variant pays for another's WAL.
async function measureWrites({ parent, clients, roundMs }: WriteLoad, diskShare: number): Promise<Figures> {
  using directory = makeScratchDirectory(parent);
  const writer = await startWriter({
    databasePath: join(directory.path, "app.db"),
    threadUrl: new URL("./documents-thread.ts", import.meta.url),
    queueLimit: 10_000,
    walAlarmBytes: Number.POSITIVE_INFINITY,
    walLimitBytes: Number.POSITIVE_INFINITY,
    log: silentLog,
  });
  const startMs = performance.now();
  const client = { writer, endMs: startMs + roundMs, diskShare };
  const latencies = await Promise.all(Array.from({ length: clients }, (_, index) => writeUntil(client, index)));
  const seconds = (performance.now() - startMs) / 1000;
  await writer.close();
  const all = latencies.flat();
  return { perSecond: all.length / seconds, p50Ms: takeQuantile(all, 0.5), p99Ms: takeQuantile(all, 0.99) };
}

const silentLog: Log = { info: () => undefined, warn: () => undefined, error: () => undefined };

type Client = { writer: Writer; endMs: number; diskShare: number };

async function writeUntil({ writer, endMs, diskShare }: Client, index: number): Promise<number[]> {
  const latencies: number[] = [];
  let diskOwed = 0;
  for (let count = 0, nowMs = performance.now(); nowMs < endMs; count++) {
    diskOwed += diskShare;
    const durability: LocalDurability = diskOwed >= 1 ? "disk" : "commit";
    if (durability === "disk") diskOwed -= 1;
    const input = { id: `document-${index}-${count}`, body: `The words of document ${count}` };
    await writer.execute("add-document", input, { durability });
    latencies.push(performance.now() - nowMs);
    nowMs = performance.now();
  }
  return latencies;
}
