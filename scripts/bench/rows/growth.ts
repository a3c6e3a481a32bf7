import { createReadStream, statfsSync, statSync } from "node:fs";
import { join } from "node:path";
import { finished } from "node:stream/promises";

import { openReader } from "../../../app/database/reader.ts";
import { demandRow, fillDocuments, nameDocument, readDocument } from "../../../app/load/documents.ts";
import { runCommand } from "../../build/run-command.ts";
import type { Area, BenchRun } from "../bench-run.ts";
import type { Figures } from "../report/report.ts";
import { latenciesOf, type Variant } from "../report/rounds.ts";
import { makeScratchDirectory } from "../servers/scratch-directory.ts";

const bodyBytes = 1_000;
// A row of 1,000 bytes with its key, its entry in the index, and what a page leaves free.
const bytesPerRow = 1_370;
const sizesMb = { quick: [10, 100], full: [10, 100, 1_000, 5_000] };
// Room for other things, while the largest database is there.
const spareBytes = 3e9;
const readsOutOfCache = 500;
const readsInCache = 20_000;

/** Point reads as the database grows. */
export const growth: Area = {
  name: "growth",
  about: "point reads by the size of the database, in and out of the cache",
  roomBytes: ({ isQuick }) => (isQuick ? 500e6 : 1.5e9),
  measure: measureGrowth,
};

async function measureGrowth(bench: BenchRun): Promise<void> {
  const variants: Variant[] = [];
  using scratch = makeScratchDirectory(bench.site.directory);
  for (const sizeMb of bench.pace.isQuick ? sizesMb.quick : sizesMb.full) {
    const { bavail, bsize } = statfsSync(scratch.path);
    if (bavail * bsize < sizeMb * 1e6 + spareBytes) {
      bench.omit(`reads from ${sizeMb} MB`, "the disk has too little room");
      continue;
    }
    const path = join(scratch.path, `${sizeMb}.db`);
    const rowCount = Math.round((sizeMb * 1e6) / bytesPerRow);
    fillDocuments(path, { rowCount, bodyBytes });
    const size = `${Math.round(statSync(path).size / 1e6).toLocaleString("en")} MB`;
    variants.push(
      { name: `${size}, in the cache`, measure: () => measureInCache(path, rowCount) },
      { name: `${size}, out of it`, measure: (round) => measureOutOfCache(path, { rowCount, round }) },
    );
  }
  await bench.compare({
    id: "growth",
    title: "Point reads in the process, as the database grows",
    about: `Rows of 1,000 bytes, one thread, through the app's reader. In the cache: the file was read just before. Out of it: the first ${readsOutOfCache} reads after the kernel was told to forget the file, so that most of them wait for the disk (a virtual one may have a cache of its own).`,
    metric: "perSecond",
    rounds: bench.sideRounds,
    variants,
  });
}

async function measureInCache(path: string, rowCount: number): Promise<Figures> {
  await finished(createReadStream(path).resume());
  return measureReads(path, { rowCount, reads: readsInCache, first: 0 });
}

async function measureOutOfCache(path: string, { rowCount, round }: { rowCount: number; round: number }) {
  await runCommand("dd", [`if=${path}`, "iflag=nocache", "count=0", "status=none"], { timeoutMs: 60_000 });
  return measureReads(path, { rowCount, reads: readsOutOfCache, first: (round + 1) * readsInCache });
}

function measureReads(path: string, { rowCount, reads, first }: { rowCount: number; reads: number; first: number }) {
  const reader = openReader(path);
  try {
    const tookMs: number[] = [];
    const startMs = performance.now();
    for (let count = first; count < first + reads; count++) {
      const beforeMs = performance.now();
      demandRow(reader.read(readDocument(nameDocument(count, rowCount))));
      tookMs.push(performance.now() - beforeMs);
    }
    return { perSecond: (reads / (performance.now() - startMs)) * 1000, ...latenciesOf(tookMs) };
  } finally {
    reader.close();
  }
}
