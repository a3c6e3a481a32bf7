import { join } from "node:path";

import { openDatabase } from "../../../app/database/open-database.ts";
import { startWriter } from "../../../app/database/start-writer.ts";
import type { LocalDurability } from "../../../app/database/write-outcome.ts";
import type { Writer } from "../../../app/database/writer.ts";
import type { Log } from "../../../app/log.ts";
import type { Area, BenchRun } from "../bench-run.ts";
import type { Figures } from "../report/report.ts";
import { latenciesOf, measureLoop, type Variant } from "../report/rounds.ts";
import { makeScratchDirectory } from "../servers/scratch-directory.ts";

/** Writes through the writer thread, without HTTP and without Litestream: what `synchronous` costs (ADR 6). */
export const writer: Area = {
  name: "writer",
  about: "writes through the writer thread by durability, without HTTP and without Litestream",
  roomBytes: ({ roundMs }) => 100e6 + roundMs * 100e3,
  measure: measureWriter,
};

async function measureWriter(bench: BenchRun): Promise<void> {
  for (const clients of bench.pace.isQuick ? [1, 64] : [1, 8, 64])
    await bench.compare({
      id: `writer-${clients}`,
      title: `Writes through the writer thread, ${clients} client${clients === 1 ? "" : "s"}`,
      about: "One row each, without HTTP and without Litestream. Every round has a new database.",
      variants: listWriteVariants({ parent: bench.site.directory, clients, roundMs: bench.shortMs }),
      baseline: "NORMAL (all commit)",
    });
}

type WriteLoad = { parent: string; clients: number; roundMs: number };
/** The share of the writes that ask for `disk`. The others ask for `commit`. */
type DiskShare = { name: string; diskShare: number };

/** Compares `disk` for every write, `commit` for every write, and a mix with `disk` for one in ten. */
function listWriteVariants(load: WriteLoad): Variant[] {
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
  await using opened = await openDocumentsWriter(join(directory.path, "app.db"));
  return await loadWriter(opened.writer, { clients, roundMs, diskShare });
}

const silentLog: Log = { info: () => undefined, warn: () => undefined, error: () => undefined };

/** A writer of the bench's own table. */
export async function openDocumentsWriter(databasePath: string): Promise<AsyncDisposable & { writer: Writer }> {
  const opened = await startWriter({
    databasePath,
    threadUrl: new URL("../../../app/calibration-thread.ts", import.meta.url),
    queueLimit: 10_000,
    walAlarmBytes: Number.POSITIVE_INFINITY,
    walLimitBytes: Number.POSITIVE_INFINITY,
    log: silentLog,
  });
  return { writer: opened, [Symbol.asyncDispose]: () => opened.close() };
}

type Clients = { clients: number; roundMs: number; diskShare: number; bodyBytes?: number };
let marks = 0;

/** Clients that each write and wait for the answer, for one round. */
export async function loadWriter(
  to: Writer,
  { clients, roundMs, diskShare, bodyBytes = 0 }: Clients,
): Promise<Figures> {
  const startMs = performance.now();
  const mark = (marks += 1);
  const client = { writer: to, endMs: startMs + roundMs, diskShare, bodyBytes };
  const latencies = await Promise.all(
    Array.from({ length: clients }, (_, index) => writeUntil(client, `${mark}-${index}`)),
  );
  const seconds = (performance.now() - startMs) / 1000;
  const all = latencies.flat();
  return { perSecond: all.length / seconds, ...latenciesOf(all) };
}

type Client = { writer: Writer; endMs: number; diskShare: number; bodyBytes: number };

async function writeUntil({ writer: to, endMs, diskShare, bodyBytes }: Client, name: string): Promise<number[]> {
  const latencies: number[] = [];
  let diskOwed = 0;
  for (let count = 0, nowMs = performance.now(); nowMs < endMs; count++) {
    diskOwed += diskShare;
    const durability: LocalDurability = diskOwed >= 1 ? "disk" : "commit";
    if (durability === "disk") diskOwed -= 1;
    const body = `The words of document ${count} `.padEnd(bodyBytes, "of many ");
    await to.execute("add-document", { id: `document-${name}-${count}`, body }, { durability });
    latencies.push(performance.now() - nowMs);
    nowMs = performance.now();
  }
  return latencies;
}

/** Writes to a new database with better-sqlite3 by hand, for one round: a row of 200 bytes in each transaction. */
export function writeByHand(
  path: string,
  { pragmas, roundMs }: { pragmas: readonly string[]; roundMs: number },
): Figures {
  const db = openDatabase(path, "writer");
  try {
    for (const pragma of pragmas) db.pragma(pragma);
    db.exec("create table notes (id text primary key not null, body text not null) strict");
    const insert = db.prepare("insert into notes (id, body) values (?, ?)");
    const body = "x".repeat(200);
    // An order without a pattern, so that a checkpoint has pages from everywhere to write.
    return measureLoop(roundMs, (count) => void insert.run(`${(count * 7919) % 1_000_003}-${count}`, body));
  } finally {
    db.close();
  }
}
