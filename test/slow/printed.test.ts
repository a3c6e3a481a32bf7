import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

import { expect, test } from "vitest";

// The printed commands that are in nobody else's test, started as npm starts them.
const scripts = join(import.meta.dirname, "../../scripts");
const run = (name: string, ...words: string[]) =>
  promisify(execFile)(process.execPath, [join(scripts, `${name}.ts`), ...words]);

test("a bench measures everything that it names, and prints it as JSON too", async () => {
  const directory = mkdtempSync(join(tmpdir(), "lifeboat-bench-test-"));
  const { stdout, stderr } = await run(
    "bench",
    "--rounds",
    "1",
    "--round-time",
    "20ms",
    "--json",
    "--directory",
    directory,
  );
  rmSync(directory, { recursive: true });
  expect(stderr).toContain("writes, 64 clients");
  const titles = [
    ...[1, 8, 64].map((clients) => `writes, ${clients} clients (add-document through the writer thread)`),
    "point reads, one thread, 100,000 rows",
    "read and update in one transaction, one thread",
  ];
  const rows = expect.arrayContaining([expect.objectContaining({ perSecond: expect.any(Number) })]);
  expect(JSON.parse(stdout)).toMatchObject({
    rounds: 1,
    roundMs: 20,
    comparisons: titles.map((title) => ({ title, rows })),
  });
});

test("a build for a platform ends with the path of its archive", async () => {
  const { stdout } = await run("build", "--platform", "linux-x64");
  expect(stdout).toMatch(
    /^release [0-9a-f]{12} for linux-x64: [0-9.]+ MB in [0-9.]+ s\n\.release\/[0-9a-f]{64}\.tar\.gz\n$/,
  );
});
