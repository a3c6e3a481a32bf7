import { availableParallelism, loadavg } from "node:os";

import { benchCommand, type BenchOptions } from "./bench/arguments.ts";
import { type Comparison, compareVariants, renderComparison } from "./bench/interleave.ts";
import { longReaderCases, measureLongReader } from "./bench/measure-long-reader.ts";
import { listReadVariants } from "./bench/measure-reads.ts";
import { listRequestVariants } from "./bench/measure-requests.ts";
import { measureRestarts, openRestartSite, renderRestarts } from "./bench/measure-restarts.ts";
import { listRunnerVariants } from "./bench/measure-runner.ts";
import { listWriteVariants } from "./bench/measure-writes.ts";
import { renderLongReader } from "./bench/render-long-reader.ts";
import { makeScratchDirectory } from "./bench/scratch-directory.ts";
import { runVerb } from "./cli/run-verb.ts";
import { startSeaweedStore } from "./local/seaweed-store.ts";

await runVerb(benchCommand, process.argv.slice(2), bench);

async function bench({ rounds, roundMs, directory, json, longReader, restarts }: BenchOptions): Promise<void> {
  if (longReader) return await compareLongReaders(directory);
  if (restarts) return await compareRestarts(directory);
  using scratch = makeScratchDirectory(directory);
  const comparisons: Comparison[] = [];
  const compare = async (title: string, variants: Parameters<typeof compareVariants>[1]) => {
    const comparison = await compareVariants(title, variants, rounds);
    comparisons.push(comparison);
    console.error(renderComparison(comparison));
  };
  for (const clients of [1, 8, 64]) {
    const variants = listWriteVariants({ parent: scratch.path, clients, roundMs });
    await compare(`writes, ${clients} clients (add-document through the writer thread)`, variants);
  }
  using reads = listReadVariants(scratch.path, roundMs);
  await compare("point reads, one thread, 100,000 rows", reads);
  using runners = listRunnerVariants(scratch.path, roundMs);
  await compare("read and update in one transaction, one thread", runners);
  if (!json) return;
  const machine = { cores: availableParallelism(), load: loadavg(), node: process.version };
  console.log(JSON.stringify({ rounds, roundMs, machine, comparisons }));
}

async function compareLongReaders(parent: string): Promise<void> {
  await using store = await startSeaweedStore();
  for (const one of longReaderCases) {
    const run = await measureLongReader(one, { parent, store: store.access });
    console.log(renderLongReader(run));
  }
}

async function compareRestarts(parent: string): Promise<void> {
  await using place = await openRestartSite(parent);
  {
    await using ways = await listRequestVariants(place, 2_000);
    console.log(renderComparison(await compareVariants("GET by 8 clients", ways.variants, 5)));
  }
  const restarts = Array.from({ length: 20 }, (_, count) => (count < 10 ? ("deploy" as const) : ("kill" as const)));
  const plan = { restarts, perSecond: 200, pauseMs: 2_000 };
  for (const way of ["behind Caddy", "without it"] as const) {
    const figures = await measureRestarts(place, { ...plan, isBehindEdge: way === "behind Caddy" });
    console.log(renderRestarts(`10 deploys and 10 kills, 200 requests a second, ${way}`, figures));
  }
}
