import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

import { expect, test } from "vitest";

import { readReport } from "../../scripts/bench/report/report.ts";

// The printed commands that are in nobody else's test, started as npm starts them.
const scripts = join(import.meta.dirname, "../../scripts");
const run = (name: string, ...words: string[]) =>
  promisify(execFile)(process.execPath, [join(scripts, `${name}.ts`), ...words]);

test("a quick bench measures all that it names, and prints the whole report as JSON too", async () => {
  const directory = mkdtempSync(join(tmpdir(), "lifeboat-bench-test-"));
  const output = join(directory, "report");
  const words = ["--quick", "--rounds", "1", "--round-time", "50ms", "--json", "--directory", directory];
  const { stdout, stderr } = await run("bench", ...words, "--output", output);
  const report = readReport(stdout);
  expect(readdirSync(directory)).toEqual(["report"]);
  expect(JSON.parse(readFileSync(join(output, "report.json"), "utf8"))).toEqual(JSON.parse(stdout));
  rmSync(directory, { recursive: true });
  expect(stderr).toContain("Requests over HTTP, 32 connections");
  for (const { id, rows } of report.sections) {
    expect(rows.length, id).toBeGreaterThan(0);
    for (const row of rows) expect(row, id).toMatchObject({ rounds: [expect.any(Object)] });
  }
  const titles = new Set(report.sections.map(({ id }) => id));
  expect([...titles]).toEqual(
    expect.arrayContaining(["reads", "http", "latency", "durability", "writer-64", "litestream", "growth", "rto"]),
  );
});

test("a build for a platform ends with the path of its archive", async () => {
  const { stdout } = await run("build", "--platform", "linux-x64");
  expect(stdout).toMatch(
    /^release [0-9a-f]{12} for linux-x64: [0-9.]+ MB in [0-9.]+ s\n\.release\/[0-9a-f]{64}\.tar\.gz\n$/,
  );
});
