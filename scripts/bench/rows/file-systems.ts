import { mkdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { Type } from "typebox";
import { Value } from "typebox/value";

import { within } from "../../../app/cli/wait-for.ts";
import { runCommand } from "../../build/run-command.ts";
import { startProcessGroup } from "../../local/process-group.ts";
import type { Area, BenchRun } from "../bench-run.ts";
import { RowSchema } from "../report/report.ts";
import { makeScratchDirectory } from "../servers/scratch-directory.ts";

/** One way to lay a volume out. `options` are those of mount. */
export type Volume = Readonly<{ name: string; kind: "ext4" | "btrfs"; options: string }>;
/** What file-systems-program.ts measures. */
export type FileSystemOrder = Readonly<{
  volumes: readonly (Volume & { image: string; mountPoint: string })[];
  rounds: number;
  roundMs: number;
}>;

const volumes: readonly Volume[] = [
  { name: "ext4", kind: "ext4", options: "loop" },
  { name: "btrfs", kind: "btrfs", options: "loop" },
  { name: "btrfs, nodatacow", kind: "btrfs", options: "loop,nodatacow" },
];
const imageBytes = 1e9;
const limitMs = 600_000;

/** Writes and reads on the file systems that a volume can have. */
export const fileSystems: Area = {
  name: "file-systems",
  about: "writes on ext4 and btrfs, nodatacow on and off, on loop devices; needs root",
  roomBytes: () => volumes.length * imageBytes,
  measure: measureFileSystems,
};

async function measureFileSystems(bench: BenchRun): Promise<void> {
  const what = "file systems";
  if (process.getuid?.() !== 0) return bench.omit(what, "loop devices need root");
  const { leftovers, directory } = bench.site;
  using scratch = makeScratchDirectory(directory);
  const made: FileSystemOrder["volumes"][number][] = [];
  for (const [index, volume] of volumes.entries()) {
    const image = join(scratch.path, `${index}.img`);
    writeFileSync(image, "");
    truncateSync(image, imageBytes);
    const mountPoint = join(scratch.path, String(index));
    mkdirSync(mountPoint);
    try {
      await runCommand(`mkfs.${volume.kind}`, ["-q", image], { timeoutMs: limitMs });
    } catch (error) {
      return bench.omit(what, error instanceof Error ? error.message : String(error));
    }
    made.push({ ...volume, image, mountPoint });
  }
  const order: FileSystemOrder = { volumes: made, rounds: bench.pace.rounds, roundMs: bench.shortMs };
  const path = join(scratch.path, "order.json");
  const logFile = join(scratch.path, "log");
  writeFileSync(path, JSON.stringify(order));
  const program = join(import.meta.dirname, "file-systems-program.ts");
  // In mounts of its own: they and their loop devices end with the process, however it ends.
  const command = { file: "unshare", words: ["--mount", "--", process.execPath, program, path] };
  const environment = { PATH: process.env["PATH"] ?? "" };
  const group = startProcessGroup(command, { environment, directory: scratch.path, logFile, leftovers });
  const { code } = await within("the rows on file systems", limitMs, group.exited);
  const output = readFileSync(logFile, "utf8").trim();
  if (code !== 0) return bench.omit(what, `they cannot be mounted here: ${output.split("\n").at(-1)}`);
  bench.add({
    id: "file-systems",
    title: "Writes by the file system of the volume",
    about:
      "better-sqlite3 by hand, a row of 200 bytes in each transaction: `commit` is `synchronous = NORMAL`, `disk` is `FULL`. On loop devices over files of this computer's own file system, so that only the differences tell something.",
    metric: "perSecond",
    baseline: "ext4, commit",
    rows: Value.Parse(Type.Array(RowSchema), JSON.parse(output)),
    text: null,
  });
}
