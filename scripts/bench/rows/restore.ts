import { randomUUID } from "node:crypto";
import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { bootMachine } from "../../../app/boot/boot-machine.ts";
import { waitFor, within } from "../../../app/cli/wait-for.ts";
import { openLog } from "../../../app/log.ts";
import { syncReplica } from "../../../app/replica/litestream.ts";
import { type Machine, machineFiles } from "../../../app/replica/machine.ts";
import { openDistance } from "../../local/distance.ts";
import type { Leftovers } from "../../local/leftovers.ts";
import { startProcessGroup } from "../../local/process-group.ts";
import type { Area, BenchRun } from "../bench-run.ts";
import type { Figures } from "../report/report.ts";
import type { Variant } from "../report/rounds.ts";
import { startAppServer } from "../servers/app-server.ts";
import { bootFor, startLitestream } from "../servers/litestream-site.ts";
import { askServer } from "../servers/measured-server.ts";
import { makeScratchDirectory } from "../servers/scratch-directory.ts";
import { loadWriter, openDocumentsWriter } from "./writer.ts";

/** How long a new machine needs, by the size of the database, the number of files, and the distance of the store. */
export const restore: Area = {
  name: "restore",
  about: "restores and the RTO, by size, by the number of files and by the distance of the store",
  roomBytes: ({ isQuick }) => (isQuick ? 1e9 : 8e9),
  measure: measureRestore,
};

async function measureRestore(bench: BenchRun): Promise<void> {
  const { isQuick } = bench.pace;
  await compareSizes(bench, isQuick ? [10] : [10, 100, 1_000]);
  await compareFiles(bench, isQuick ? { files: 60, distances: [0, 20] } : { files: 500, distances: [0, 20, 80] });
  await measureRto(bench, isQuick ? { loadMs: 2_000, distances: [20] } : { loadMs: 60_000, distances: [0, 20, 80] });
}

/** A replica that its machine has left, in a directory of its own. */
type Left = Readonly<{ machine: Machine; directory: string }>;

async function compareSizes(bench: BenchRun, sizesMb: readonly number[]): Promise<void> {
  using scratch = makeScratchDirectory(bench.site.directory);
  const variants: Variant[] = [];
  for (const sizeMb of sizesMb) {
    const left = await leaveReplica(bench, join(scratch.path, `${sizeMb}`), async (machine, writer) => {
      while (statSync(machine.files.database).size < sizeMb * 1e6) {
        await loadWriter(writer, { clients: 8, roundMs: 200, diskShare: 0, bodyBytes: 8_000 });
        await sync(machine);
      }
    });
    variants.push(...listRestores(bench, left, `${sizeMb.toLocaleString("en")} MB`, 0));
  }
  await bench.compare({
    id: "restore-size",
    title: "A new machine's boot, by the size of the database",
    about:
      "From the start of boot to a database that may serve: survey, claim, restore, quick_check, install. Beside it the bare `litestream restore` of the same replica. The store is on this computer.",
    metric: "seconds",
    variants,
    rounds: Math.min(3, bench.sideRounds),
  });
}

async function compareFiles(bench: BenchRun, given: { files: number; distances: readonly number[] }): Promise<void> {
  using scratch = makeScratchDirectory(bench.site.directory);
  const left = await leaveReplica(bench, join(scratch.path, "files"), async (machine, writer) => {
    for (let count = 0; count < given.files; count++) {
      await loadWriter(writer, { clients: 1, roundMs: 1, diskShare: 0 });
      await sync(machine);
    }
  });
  await bench.compare({
    id: "restore-files",
    title: `A new machine's boot, with ${given.files} files written one by one, by the distance of the store`,
    about: "Litestream has compacted a part of them meanwhile, as it does in a bucket.",
    metric: "seconds",
    variants: given.distances.flatMap((distanceMs) =>
      listRestores(bench, left, `store ${distanceMs} ms away`, distanceMs),
    ),
    rounds: Math.min(2, bench.sideRounds),
  });
}

async function measureRto(bench: BenchRun, given: { loadMs: number; distances: readonly number[] }): Promise<void> {
  await bench.compare({
    id: "rto",
    title: `RTO after ${given.loadMs / 1000} s of writes at bucket by 32 clients`,
    about:
      "A machine is killed with SIGKILL. From the start of the next one, which has an empty disk, to its first 200 on `/ready`. Drills measure the same with a ledger.",
    metric: "seconds",
    variants: given.distances.map((distanceMs) => ({
      name: `store ${distanceMs} ms away`,
      measure: () => measureRecovery(bench, { ...given, distanceMs }),
    })),
    rounds: 1,
  });
}

async function measureRecovery(bench: BenchRun, given: { loadMs: number; distanceMs: number }): Promise<Figures> {
  const site = await bench.site.openBucket(given.distanceMs);
  {
    await using lost = await startAppServer(bench.site, site);
    const asking = { question: "create", createHeaders: { durability: "bucket" } } as const;
    await askServer(lost.app, { ...asking, roundMs: given.loadMs }, bench.site);
  }
  const startMs = performance.now();
  await using _next = await bench.site.startMachine(site);
  return { seconds: (performance.now() - startMs) / 1000 };
}

type Fill = (machine: Machine, writer: Parameters<typeof loadWriter>[0]) => Promise<void>;

/** A machine that writes, replicates, and is gone. */
async function leaveReplica(bench: BenchRun, directory: string, fill: Fill): Promise<Left> {
  mkdirSync(directory);
  const place = { directory, store: await bench.site.openStore(), leftovers: bench.site.leftovers };
  const machine = await bootFor(place);
  const litestream = startLitestream(machine, null, place);
  try {
    await using opened = await openDocumentsWriter(machine.files.database);
    await loadWriter(opened.writer, { clients: 1, roundMs: 1, diskShare: 0 });
    await waitFor("the first sync", () => sync(machine), { timeoutMs: 30_000 });
    await fill(machine, opened.writer);
  } finally {
    litestream.signal("SIGKILL");
    await within("the end of Litestream", 10_000, litestream.exited);
  }
  return { machine, directory };
}

const syncLimitMs = 120_000;

function sync({ files }: Machine): Promise<string> {
  return syncReplica(files.litestreamSocket, files.database, syncLimitMs);
}

/** The boot of new machines, and Litestream's own restore. */
function listRestores(bench: BenchRun, left: Left, name: string, distanceMs: number): Variant[] {
  return [
    {
      name: `${name}: boot of a new machine`,
      measure: () => atDistance(left, distanceMs, (far) => bootNext(far, left)),
    },
    {
      name: `${name}: bare litestream restore`,
      isPeer: true,
      measure: () => atDistance(left, distanceMs, (far) => restoreBare(far, left, bench.site.leftovers)),
    },
  ];
}

async function atDistance(
  { machine }: Left,
  distanceMs: number,
  measure: (machine: Machine) => Promise<Figures>,
): Promise<Figures> {
  const { endpoint } = machine.bucket;
  if (distanceMs === 0 || endpoint === undefined) return measure(machine);
  await using far = await openDistance(endpoint, distanceMs);
  return await measure({ ...machine, bucket: { ...machine.bucket, endpoint: far.endpoint } });
}

let machines = 0;

async function bootNext(machine: Machine, { directory }: Left): Promise<Figures> {
  const home = join(directory, `next-${(machines += 1)}`);
  mkdirSync(home);
  const next: Machine = {
    ...machine,
    machineId: randomUUID(),
    bootId: randomUUID(),
    files: machineFiles(join(home, "data"), join(home, "run")),
  };
  const startMs = performance.now();
  const { outcome, content, cause } = await bootMachine(next, { log: openLog("silent") });
  const seconds = (performance.now() - startMs) / 1000;
  if (outcome !== "claimed" || content !== "restored")
    throw new Error(`the boot of a new machine ended as ${outcome}: ${cause ?? content}`);
  rmSync(home, { recursive: true });
  return { seconds };
}

/** With the configuration that its machine had, but for the distance. */
async function restoreBare(machine: Machine, { directory }: Left, leftovers: Leftovers): Promise<Figures> {
  const { litestreamConfig, database } = machine.files;
  const bare = join(directory, `bare-${(machines += 1)}`);
  mkdirSync(bare);
  const config = JSON.parse(readFileSync(litestreamConfig, "utf8"));
  config.dbs[0].replica.endpoint = machine.bucket.endpoint;
  writeFileSync(join(bare, "litestream.yml"), JSON.stringify(config));
  const { accessKeyId, secretAccessKey } = machine.bucket;
  const words = ["restore", "-config", "litestream.yml", "-no-expand-env", "-o", "app.db", database];
  const startMs = performance.now();
  const litestream = startProcessGroup(
    { file: machine.litestreamPath, words },
    {
      environment: { LITESTREAM_ACCESS_KEY_ID: accessKeyId, LITESTREAM_SECRET_ACCESS_KEY: secretAccessKey },
      directory: bare,
      logFile: join(bare, "log"),
      leftovers,
    },
  );
  const { code } = await within("litestream restore", 600_000, litestream.exited);
  const seconds = (performance.now() - startMs) / 1000;
  if (code !== 0) throw new Error(`litestream restore ended with ${code}: ${readFileSync(join(bare, "log"), "utf8")}`);
  rmSync(bare, { recursive: true });
  return { seconds };
}
