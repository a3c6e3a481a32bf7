import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { expect, test } from "vitest";

import { readBounds } from "../../app/load/bounds.ts";
import { calibrate, scratchOf } from "../../app/load/calibrate.ts";
import { DirectoryInUse, lockDirectory } from "../../app/replica/lock.ts";
import { machineFiles } from "../../app/replica/machine.ts";
import { makeTemporaryDirectory } from "../database/temporary-directory.ts";

const threadUrl = new URL("../../app/calibration-thread.ts", import.meta.url);
const measure = (directory: string) => calibrate({ directory, threadUrl, roundMs: 20 });
const boundsIn = (directory: string) => machineFiles(directory, directory).bounds;

test("a calibration measures with the real writer and stores what the app of that directory finds", async () => {
  using directory = makeTemporaryDirectory();
  // What a killed one has left.
  mkdirSync(scratchOf(directory.path));
  writeFileSync(join(scratchOf(directory.path), "writes.db"), "half of a database");
  const measured = await measure(directory.path);
  expect(readBounds(boundsIn(directory.path))).toEqual({ bounds: measured, fault: null });
  const { writesPerSecond, pointReadsPerSecond, rounds } = measured;
  expect(rounds).toBe(5);
  for (const { least, median, most } of [writesPerSecond.commit, writesPerSecond.disk, pointReadsPerSecond]) {
    expect(least).toBeGreaterThan(10);
    expect([least, median, most].toSorted((one, other) => one - other)).toEqual([least, median, most]);
  }
  // A reading is no commit.
  expect(pointReadsPerSecond.median).toBeGreaterThan(writesPerSecond.disk.median / 10);
  expect(readdirSync(directory.path).toSorted()).toEqual(["bounds.json", "lifeboat.lock"]);
  // The lock is given back.
  lockDirectory(machineFiles(directory.path, directory.path).lock)[Symbol.dispose]();
});

test("an app that serves from the directory is not measured beside", async () => {
  using directory = makeTemporaryDirectory();
  using _app = lockDirectory(machineFiles(directory.path, directory.path).lock);
  await expect(measure(directory.path)).rejects.toThrow(DirectoryInUse);
  expect([boundsIn(directory.path), scratchOf(directory.path)].filter(existsSync)).toEqual([]);
});

test("no directory, a file, and a directory in memory are refused before anything is made", async () => {
  using directory = makeTemporaryDirectory();
  const missing = join(directory.path, "missing");
  const file = join(directory.path, "file");
  writeFileSync(file, "");
  for (const path of [missing, file])
    await expect(measure(path)).rejects.toThrow(`${path} is no directory; name the one that the app has its data in`);
  if (existsSync("/dev/shm")) {
    await expect(measure("/dev/shm")).rejects.toThrow(
      "/dev/shm is in memory, where an fsync costs nothing; name one on a disk",
    );
    expect(existsSync("/dev/shm/lifeboat.lock")).toBe(false);
  }
  expect(readdirSync(directory.path)).toEqual(["file"]);
});

/** Runs program.mjs with an ext4 of 300 MB as its data directory, and fills that once the databases are there. */
const onSmallDisk = `
truncate -s 300M "$1/image"; mkfs.ext4 -q -m 0 -E lazy_itable_init=0 "$1/image"; mkdir "$1/data"
mount -o loop "$1/image" "$1/data"
(
  until [ -d "$1/data/.lifeboat-calibration" ]; do sleep 0.01; done
  dd if=/dev/zero of="$1/data/filler" bs=100k
) > "$1/filler.log" 2>&1 &
filler=$!
"$2" "$1/program.mjs" "$1/data"
kill "$filler" 2> "$1/kill.log" || true
`;
const program = (roundMs: number) => `
import { readdirSync } from "node:fs";
import { calibrate } from ${JSON.stringify(new URL("../../app/load/calibrate.ts", import.meta.url).href)};
const [, , directory] = process.argv;
const threadUrl = new URL(${JSON.stringify(threadUrl.href)});
const ended = await calibrate({ directory, threadUrl, roundMs: ${roundMs} }).catch((error) => error.message);
console.log(JSON.stringify({ ended, left: readdirSync(directory) }));
`;
const canMount =
  process.getuid?.() === 0 &&
  spawnSync("unshare", ["--mount", "sh", "-c", "command -v mkfs.ext4 && losetup --find"]).status === 0;

function calibrateOnSmallDisk(roundMs: number) {
  using directory = makeTemporaryDirectory();
  writeFileSync(join(directory.path, "program.mjs"), program(roundMs));
  const words = ["--mount", "sh", "-euc", onSmallDisk, "sh", directory.path, process.execPath];
  const { stdout, stderr } = spawnSync("unshare", words, { encoding: "utf8" });
  expect(stderr).toBe("");
  return { data: join(directory.path, "data"), ...JSON.parse(stdout) };
}

test.skipIf(!canMount)("a disk without room is refused, and one that fills half-way is told (needs root)", () => {
  const small = calibrateOnSmallDisk(600);
  expect(small.ended).toMatch(/data has 0\.[23] GB free, and the measurement may need 0\.9 GB; make some room$/);
  expect(small.left).toEqual(["lost+found"]);
  const full = calibrateOnSmallDisk(80);
  expect(full.ended).toBe(`${full.data} has no room left, so nothing was stored; make some, and try again`);
  expect(full.left.toSorted()).toEqual(["filler", "lifeboat.lock", "lost+found"]);
});
