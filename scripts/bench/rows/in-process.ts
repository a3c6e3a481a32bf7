import { once } from "node:events";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";

import { openDatabase } from "../../../app/database/open-database.ts";
import { openReader } from "../../../app/database/reader.ts";
import {
  demandRow,
  fillDocuments,
  nameDocument,
  readDocument,
  readDocumentPlainly,
} from "../../../app/load/documents.ts";
import type { Area, BenchRun } from "../bench-run.ts";
import type { Figures } from "../report/report.ts";
import { measureLoop, type Variant } from "../report/rounds.ts";
import { makeScratchDirectory } from "../servers/scratch-directory.ts";
import { listRunnerVariants } from "./runner.ts";

const rowCount = 100_000;

/** Reads and writes inside one process: what our own layers cost beside better-sqlite3 by hand. */
export const inProcess: Area = {
  name: "in-process",
  about: "point reads on one thread and on all, beside better-sqlite3 by hand",
  roomBytes: () => 100e6,
  measure: measureInProcess,
};

async function measureInProcess(bench: BenchRun): Promise<void> {
  using scratch = makeScratchDirectory(bench.site.directory);
  const path = join(scratch.path, "reads.db");
  fillDocuments(path, { rowCount, bodyBytes: 60 });
  const roundMs = bench.shortMs;
  using reads = listReadVariants(path, roundMs);
  await bench.compare({
    id: "reads",
    title: "Point reads in the process, one thread",
    about:
      "By primary key from 100,000 rows, in an order that no cache foresees. One read in 16 is timed. The app's reader runs a statement that is compiled once, as the guide tells products to; the last row compiles it each time, in a transaction.",
    variants: reads,
    baseline: "bare better-sqlite3",
  });
  const threads = availableParallelism();
  await bench.compare({
    id: "reads-threads",
    title: `Point reads in the process, on ${threads} threads`,
    about: `The same with a connection of its own on each thread. This computer has ${threads} cores.`,
    variants: (["bare better-sqlite3", "the app's reader"] as const).flatMap((way) =>
      [1, threads].map((count) => listThreadVariant(path, { way, count, roundMs })),
    ),
    baseline: "bare better-sqlite3, 1 thread",
  });
  using runners = listRunnerVariants(scratch.path, roundMs);
  await bench.compare({
    id: "layers",
    title: "A read and an update in one transaction, one thread",
    about: "Our generators with Kysely, beside the same two statements prepared by hand. No fsync.",
    variants: runners,
    baseline: "prepared by hand",
  });
}

/** Through the Reader and a generator, compared with a hand-written prepared statement. */
function listReadVariants(path: string, roundMs: number): Variant[] & Disposable {
  const byHand = openDatabase(path, "reader");
  const statement = byHand.prepare("select id, body from documents where id = ?");
  const readInTransaction = byHand.transaction((id: string) => statement.get(id));
  const reader = openReader(path);
  const ways: [string, (id: string) => unknown][] = [
    ["bare better-sqlite3", (id) => statement.get(id)],
    ["bare, in a transaction", (id) => readInTransaction(id)],
    ["the app's reader", (id) => reader.read(readDocument(id))],
    ["the app's reader, compiled each time", (id) => reader.read(readDocumentPlainly(id))],
  ];
  const variants = ways.map(([name, read]): Variant => ({
    name,
    isPeer: name.startsWith("bare"),
    measure: () => measureLoop(roundMs, (count) => demandRow(read(nameDocument(count, rowCount)))),
  }));
  const close = (): void => {
    reader.close();
    byHand.close();
  };
  return Object.assign(variants, { [Symbol.dispose]: close });
}

/** What a reading thread is told. */
export type ThreadOrder = Readonly<{ path: string; way: string; rowCount: number; roundMs: number }>;

function listThreadVariant(path: string, order: { way: string; count: number; roundMs: number }): Variant {
  const { way, count, roundMs } = order;
  const measure = async (): Promise<Figures> => {
    const workerData: ThreadOrder = { path, way, rowCount, roundMs };
    const url = new URL("./read-thread.ts", import.meta.url);
    const threads = Array.from({ length: count }, () => new Worker(url, { workerData }));
    await Promise.all(threads.map((thread) => once(thread, "message")));
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
    for (const thread of threads) thread.postMessage("go");
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- read-thread.ts sends nothing else
    const all = await Promise.all(threads.map(async (thread) => (await once(thread, "message"))[0] as Figures));
    await Promise.all(threads.map((thread) => thread.terminate()));
    const sum = all.reduce((total, { perSecond = Number.NaN }) => total + perSecond, 0);
    return { perSecond: sum, p99Ms: Math.max(...all.map(({ p99Ms = Number.NaN }) => p99Ms)) };
  };
  return { name: `${way}, ${count} thread${count === 1 ? "" : "s"}`, isPeer: way.startsWith("bare"), measure };
}
