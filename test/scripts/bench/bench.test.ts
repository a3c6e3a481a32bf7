import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { expect, test } from "vitest";

import { readBounds } from "../../../app/load/bounds.ts";
import { readReport } from "../../../scripts/bench/report/report.ts";
import { makeTemporaryDirectory } from "../../database/temporary-directory.ts";

const script = join(import.meta.dirname, "../../../scripts/bench.ts");
const run = (...words: string[]) => spawnSync(process.execPath, [script, ...words], { encoding: "utf8" });

test("a tiny bench measures for real and writes its report, and nothing else is left", () => {
  using place = makeTemporaryDirectory();
  const output = join(place.path, "report");
  const short = ["--quick", "--rounds", "1", "--round-time", "20ms"];
  const { status, stdout, stderr } = run(
    "--rows",
    "in-process",
    ...short,
    "--directory",
    place.path,
    "--output",
    output,
  );
  expect([stderr, status]).toEqual(["", 0]);
  expect(stdout).toContain("bare better-sqlite3");
  expect(readdirSync(place.path)).toEqual(["report"]);
  const report = readReport(readFileSync(join(output, "report.json"), "utf8"));
  expect(report).toMatchObject({ mode: "quick", rounds: 1, roundMs: 20, omissions: [] });
  expect(report.sections.map(({ id }) => id)).toEqual(["reads", "reads-threads", "layers"]);
  const [measured] = report.sections[0]?.rows[0]?.rounds ?? [];
  expect(measured?.perSecond).toBeGreaterThan(100);
  expect(readdirSync(output).toSorted()).toEqual([
    "README.md",
    "layers.svg",
    "reads-threads.svg",
    "reads.svg",
    "report.json",
  ]);
});

test("unknown rows, no directory and two outputs are refused in a sentence before anything is measured", () => {
  const unknown = run("--rows", "in-process,speed");
  expect([unknown.status, unknown.stdout]).toEqual([64, ""]);
  expect(unknown.stderr).toMatch(/^bench: --rows: "speed" is none of in-process, http, /);
  const twice = run("--publish", "--output", "here");
  expect([twice.status, twice.stdout]).toEqual([64, ""]);
  const nowhere = run("--directory", "/nowhere");
  expect([nowhere.status, nowhere.stdout]).toEqual([1, ""]);
  expect(nowhere.stderr).toBe("bench: /nowhere is no directory; make it, or name another with --directory\n");
});

test("a calibration stores what the machine can do, and is asked for alone", () => {
  using place = makeTemporaryDirectory();
  const { status, stdout, stderr } = run("--calibrate", "--round-time", "20ms", "--directory", place.path);
  expect([stderr, status]).toEqual(["", 0]);
  expect(stdout).toMatch(/^AT MOST +A SECOND +LEAST TO MOST OF 5 ROUNDS\nwrites at commit, of one row each +[\d,]+ /);
  expect(readBounds(join(place.path, "bounds.json")).bounds?.rounds).toBe(5);
  const both = run("--calibrate", "--rows", "http");
  expect([both.status, both.stdout]).toEqual([64, ""]);
  expect(both.stderr).toMatch(/^bench: --rows: --calibrate makes no report, so one of the two\n/);
});

test.runIf(existsSync("/dev/shm"))("a directory in memory is refused: an fsync costs nothing there", () => {
  const { status, stderr } = run("--directory", "/dev/shm", "--rows", "in-process");
  expect(status).toBe(1);
  expect(stderr).toBe(
    "bench: /dev/shm is in memory, where an fsync costs nothing; name one on a disk with --directory\n",
  );
});

test("Ctrl-C in the middle leaves neither a process nor a file", async () => {
  using place = makeTemporaryDirectory();
  const words = ["--rows", "http", "--quick", "--directory", place.path, "--output", join(place.path, "report")];
  const bench = spawn(process.execPath, [script, ...words], { stdio: "ignore" });
  const ended = once(bench, "exit");
  // Its store runs by now, with its files in the directory.
  await expect.poll(() => findProcesses(place.path), { timeout: 20_000 }).not.toEqual([]);
  bench.kill("SIGINT");
  expect(await ended).toEqual([130, null]);
  await expect.poll(() => findProcesses(place.path), { timeout: 5_000 }).toEqual([]);
  expect(readdirSync(place.path)).toEqual([]);
}, 60_000);

/** The processes below the bench that have this directory on their command line. */
function findProcesses(directory: string): string[] {
  const { stdout } = spawnSync("pgrep", ["--full", `--list-full`, directory], { encoding: "utf8" });
  return stdout.split("\n").filter((line) => line !== "" && !line.includes("bench.ts"));
}
