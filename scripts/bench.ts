import { availableParallelism, loadavg, tmpdir } from "node:os";
import { parseArgs } from "node:util";

import { type Comparison, compareVariants } from "./bench/interleave.ts";
import { longReaderCases, measureLongReader } from "./bench/measure-long-reader.ts";
import { listReadVariants } from "./bench/measure-reads.ts";
import { listRunnerVariants } from "./bench/measure-runner.ts";
import { listWriteVariants } from "./bench/measure-writes.ts";
import { renderComparison } from "./bench/render-comparison.ts";
import { renderLongReader } from "./bench/render-long-reader.ts";
import { makeScratchDirectory } from "./bench/scratch-directory.ts";
import { startSeaweedStore } from "./drill/seaweed-store.ts";

type Options = { rounds: number; roundMs: number; directory: string; json: boolean; longReader: boolean };
const usage = `npm run bench -- [--rounds 5] [--round-ms 1000] [--directory ${tmpdir()}] [--json] | --long-reader [--directory ${tmpdir()}]`;

const options = readOptions();
if (options.longReader) {
  await compareLongReaders(options.directory);
  process.exit(0);
}
using scratch = makeScratchDirectory(options.directory);
const comparisons: Comparison[] = [];

for (const clients of [1, 8, 64]) {
  const variants = listWriteVariants({ parent: scratch.path, clients, roundMs: options.roundMs });
  await compare(`writes, ${clients} clients (create-customer through the writer thread)`, variants);
}
using reads = listReadVariants(scratch.path, options.roundMs);
await compare("point reads, one thread, 100,000 rows", reads);
using runners = listRunnerVariants(scratch.path, options.roundMs);
await compare("read and update in one transaction, one thread", runners);

if (options.json) {
  const machine = { cores: availableParallelism(), load: loadavg(), node: process.version };
  console.log(JSON.stringify({ rounds: options.rounds, roundMs: options.roundMs, machine, comparisons }));
}

/** About eight minutes, and 2.5 GB of space. */
async function compareLongReaders(parent: string): Promise<void> {
  await using store = await startSeaweedStore();
  for (const one of longReaderCases) {
    const run = await measureLongReader(one, { parent, store: store.access });
    console.log(renderLongReader(run));
  }
}

async function compare(title: string, variants: Parameters<typeof compareVariants>[1]): Promise<void> {
  const comparison = await compareVariants(title, variants, options.rounds);
  comparisons.push(comparison);
  console.error(renderComparison(comparison));
}

function readOptions(): Options {
  try {
    return parseOptions();
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\nusage: ${usage}`);
    return process.exit(2);
  }
}

function parseOptions(): Options {
  const { values } = parseArgs({
    options: {
      rounds: { type: "string", default: "5" },
      "round-ms": { type: "string", default: "1000" },
      directory: { type: "string", default: tmpdir() },
      json: { type: "boolean", default: false },
      "long-reader": { type: "boolean", default: false },
    },
  });
  const roundMs = readCount("--round-ms", values["round-ms"]);
  const { directory, json, "long-reader": longReader } = values;
  return { rounds: readCount("--rounds", values.rounds), roundMs, directory, json, longReader };
}

function readCount(flag: string, text: string): number {
  const count = Number(text);
  if (!Number.isSafeInteger(count) || count < 1)
    throw new Error(`${flag} must be a whole number of at least 1 (got ${text})`);
  return count;
}
