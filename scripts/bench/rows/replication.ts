import { mkdirSync } from "node:fs";
import { join } from "node:path";

import { within } from "../../../app/cli/wait-for.ts";
import type { Area, BenchRun } from "../bench-run.ts";
import type { Figures } from "../report/report.ts";
import type { Variant } from "../report/rounds.ts";
import { bootFor, startLitestream } from "../servers/litestream-site.ts";
import { makeScratchDirectory } from "../servers/scratch-directory.ts";
import { loadWriter, openDocumentsWriter, writeByHand } from "./writer.ts";

/** What replication costs the writer, and what SQLite's own checkpoints would. */
export const replication: Area = {
  name: "replication",
  about: "writes with and without Litestream beside, and by wal_autocheckpoint",
  roomBytes: ({ rounds, roundMs }) => 300e6 + rounds * roundMs * 100e3,
  measure: measureReplication,
};

async function measureReplication(bench: BenchRun): Promise<void> {
  await compareLitestream(bench);
  await compareCheckpoints(bench);
}

const clients = 8;

async function compareLitestream(bench: BenchRun): Promise<void> {
  using scratch = makeScratchDirectory(bench.site.directory);
  const store = await bench.site.openStore();
  const { leftovers } = bench.site;
  const open = async (name: string) => {
    const directory = join(scratch.path, name);
    mkdirSync(directory);
    const machine = await bootFor({ directory, store, leftovers });
    return { directory, machine };
  };
  const alone = await open("alone");
  const beside = await open("beside");
  await using made = new AsyncDisposableStack();
  const { writer: aloneWriter } = made.use(await openDocumentsWriter(alone.machine.files.database));
  const { writer: besideWriter } = made.use(await openDocumentsWriter(beside.machine.files.database));
  const litestream = startLitestream(beside.machine, null, { directory: beside.directory, store, leftovers });
  made.defer(async () => {
    litestream.signal("SIGKILL");
    await within("the end of Litestream", 10_000, litestream.exited);
  });
  const roundMs = bench.shortMs;
  const variants = (["commit", "disk"] as const).flatMap((level): Variant[] => {
    const load = { clients, roundMs, diskShare: level === "disk" ? 1 : 0 };
    return [
      { name: `${level}, without Litestream`, measure: () => loadWriter(aloneWriter, load) },
      { name: `${level}, beside Litestream`, measure: () => loadWriter(besideWriter, load) },
    ];
  });
  await bench.compare({
    id: "litestream",
    title: `Writes through the writer thread, without Litestream and beside it, ${clients} clients`,
    about:
      "Litestream and the store share the cores and the disk here. Without it nobody checkpoints, so the WAL grows.",
    variants,
    baseline: "commit, without Litestream",
  });
}

async function compareCheckpoints(bench: BenchRun): Promise<void> {
  const roundMs = bench.shortMs;
  const { directory } = bench.site;
  await bench.compare({
    id: "checkpoints",
    title: "Writes by wal_autocheckpoint, better-sqlite3 by hand",
    about:
      "A row of 200 bytes in each transaction, `synchronous = NORMAL`, a new database for each round. A replicated database must have 0, or Litestream loses rows; then it is Litestream that checkpoints, as above.",
    variants: [0, 1000, 20_000].map((pages) => ({
      name: `wal_autocheckpoint = ${pages}`,
      measure: () => measureCheckpoints(directory, { pages, roundMs }),
    })),
    baseline: "wal_autocheckpoint = 0",
  });
}

function measureCheckpoints(parent: string, { pages, roundMs }: { pages: number; roundMs: number }): Figures {
  using scratch = makeScratchDirectory(parent);
  return writeByHand(join(scratch.path, "app.db"), { pragmas: [`wal_autocheckpoint = ${pages}`], roundMs });
}
