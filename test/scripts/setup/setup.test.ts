import { existsSync, mkdirSync, readdirSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { expect, test } from "vitest";

import { writeExecutable } from "../build/fake-binary.ts";
import { SetupTree } from "./setup-tree.ts";

test("set-up installs in a path with a space, and a second run does and says nothing", async () => {
  using tree = new SetupTree();
  const first = await tree.run();
  expect(first).toEqual({
    code: 0,
    stdout: "",
    stderr: expect.stringMatching(/^\[setup\] installing packages … \d+\.\d s\n$/),
  });
  expect(tree.takeLog()).toEqual(["start ci", "end", "binaries"]);
  expect(await tree.run()).toEqual({ code: 0, stdout: "", stderr: "" });
  expect(tree.takeLog()).toEqual([]);
  expect(readdirSync(tree.path).toSorted()).toEqual(["node_modules", "package-lock.json", "package.json", "scripts"]);
});

test("another lockfile reinstalls packages, another manifest only fetches binaries", async () => {
  using tree = new SetupTree();
  await tree.run();
  tree.takeLog();
  tree.writeLockfile("2.0.0");
  await tree.run();
  expect(tree.takeLog()).toEqual(["start ci", "end", "binaries"]);
  writeFileSync(join(tree.path, "scripts", "build", "manifest.ts"), "// another pin");
  await tree.run();
  expect(tree.takeLog()).toEqual(["binaries"]);
});

test("a binary that was removed or changed is noticed, and so is another cache folder", async () => {
  using tree = new SetupTree();
  await tree.run();
  tree.takeLog();
  rmSync(tree.binaryPath);
  await tree.run();
  expect(tree.takeLog()).toEqual(["binaries"]);
  writeFileSync(tree.binaryPath, "longer than before");
  await tree.run();
  expect(tree.takeLog()).toEqual(["binaries"]);
  await tree.run({ XDG_CACHE_HOME: dirname(tree.path) });
  expect(tree.takeLog()).toEqual(["binaries"]);
});

test("node in node_modules/.bin is ours even where npm did not link it", async () => {
  using tree = new SetupTree();
  await tree.run();
  const link = join(tree.path, "node_modules", ".bin", "node");
  expect(readlinkSync(link)).toBe(`../node-${process.platform}-${process.arch}/bin/node`);
  rmSync(link);
  rmSync(tree.binaryPath);
  await tree.run();
  expect(existsSync(link)).toBe(true);
});

test("a flag that npm kept for itself does not make the installation a dry run", async () => {
  using tree = new SetupTree();
  expect((await tree.run({ npm_config_dry_run: "true" })).code).toBe(0);
  expect(tree.npmWords).toContain("--dry-run=false");
});

test("npm sees no engines, since an old npm would leave out optional packages because of them", async () => {
  using tree = new SetupTree();
  await tree.run();
  expect(tree.lockfileSeenByNpm).toContain('"version":"1.0.0"');
  expect(tree.lockfileSeenByNpm).not.toContain("engines");
});

test("packages that were installed by hand are not installed again, unless they are others", async () => {
  using tree = new SetupTree();
  tree.installByHand();
  expect((await tree.run()).code).toBe(0);
  expect(tree.takeLog()).toEqual(["binaries"]);
  rmSync(join(tree.path, "node_modules"), { recursive: true });
  tree.installByHand();
  tree.writeLockfile("2.0.0");
  await tree.run();
  expect(tree.takeLog()).toEqual(["start ci", "end", "binaries"]);
});

test("when npm fails its words are shown, and the old node_modules stay", async () => {
  using tree = new SetupTree();
  const kept = join(tree.path, "node_modules", "kept");
  mkdirSync(kept, { recursive: true });
  const outcome = await tree.run({ FAKE_NPM_FAILS: "1" });
  expect(outcome.code).toBe(1);
  expect(outcome.stderr).toContain('[setup] "npm ci" failed with exit code 1; it said:\nnpm error E418\n');
  expect(existsSync(kept)).toBe(true);
  expect(tree.listStages()).toEqual([]);
});

test("a missing npm and one that is too old are each one sentence", async () => {
  using tree = new SetupTree();
  const old = await tree.run({ FAKE_NPM_VERSION: "6.14.18" });
  expect(old.stderr).toContain(
    '[setup] npm 6.14.18 is too old, 8 or newer is needed: run "npm install --global npm@8"\n',
  );
  const missing = await tree.run({ PATH: "/nowhere" });
  expect(missing.stderr).toMatch(/\[setup\] npm could not be started .*; install Node\.js with npm from https/);
  expect([old.code, missing.code]).toEqual([1, 1]);
});

test("a Node that is too old is refused by its version", async () => {
  using tree = new SetupTree();
  const old = writeExecutable(join(dirname(tree.path), "old-node"), "#!/bin/sh\necho v24.11.1\n");
  const outcome = await tree.run({ FAKE_NODE: old });
  expect(outcome.code).toBe(1);
  expect(outcome.stderr).toContain("Node.js 24.12 or newer is needed and v24.11.1 was found; install Node.js 24");
});

test("when the binaries fail their sentence stands alone, and the next run tries again without npm", async () => {
  using tree = new SetupTree();
  const failed = await tree.run({ FAKE_BINARIES_FAIL: "1" });
  expect(failed.code).toBe(1);
  expect(failed.stderr.trim().split("\n").slice(1)).toEqual(["[setup] no litestream"]);
  tree.takeLog();
  expect((await tree.run()).code).toBe(0);
  expect(tree.takeLog()).toEqual(["binaries"]);
});

test("several set-ups at once install once, and all succeed", async () => {
  using tree = new SetupTree();
  const outcomes = await Promise.all(Array.from({ length: 4 }, () => tree.run({ FAKE_NPM_SECONDS: "1" })));
  expect(outcomes.map(({ code }) => code)).toEqual([0, 0, 0, 0]);
  expect(tree.takeLog()).toEqual(["start ci", "end", "binaries"]);
  expect(outcomes.filter(({ stderr }) => stderr.includes("waiting for another set-up"))).toHaveLength(3);
});

test.each([false, true])(
  "without flock, several set-ups at once only do the work twice (old packages: %s)",
  async (old) => {
    using tree = new SetupTree();
    if (old) {
      tree.installByHand();
      tree.writeLockfile("2.0.0");
    }
    const env = { PATH: tree.pathWithoutFlock, FAKE_NPM_SECONDS: "1" };
    const outcomes = await Promise.all(Array.from({ length: 3 }, () => tree.run(env)));
    expect(outcomes.map(({ code, stderr }) => [code, stderr])).toEqual(
      outcomes.map(() => [0, expect.stringMatching(/^\[setup\] installing packages … \d+\.\d s\n$/)]),
    );
    expect(tree.takeLog().toSorted()).toEqual(["binaries", "end", "start ci"].flatMap((line) => [line, line, line]));
    expect(tree.listStages()).toEqual([]);
    expect(await tree.run(env)).toEqual({ code: 0, stdout: "", stderr: "" });
  },
);

test("without flock, a set-up that was killed leaves no folder behind for good", async () => {
  using tree = new SetupTree();
  const killed = tree.start({ PATH: tree.pathWithoutFlock, FAKE_NPM_SECONDS: "20" });
  const ended = new Promise((resolve) => killed.once("close", resolve));
  await expect.poll(() => tree.readLog(), { timeout: 30_000 }).toEqual(["start ci"]);
  process.kill(-(killed.pid ?? Number.NaN), "SIGKILL");
  await ended;
  expect(tree.listStages()).toHaveLength(1);
  expect((await tree.run({ PATH: tree.pathWithoutFlock })).code).toBe(0);
  expect(tree.listStages()).toEqual([]);
});

test("a set-up that was killed in the middle of npm leaves nothing that stops the next one", async () => {
  using tree = new SetupTree();
  const kept = join(tree.path, "node_modules", "kept");
  mkdirSync(kept, { recursive: true });
  const killed = tree.start({ FAKE_NPM_SECONDS: "20" });
  const ended = new Promise((resolve) => killed.once("close", resolve));
  await expect.poll(() => tree.readLog(), { timeout: 30_000 }).toEqual(["start ci"]);
  process.kill(-(killed.pid ?? Number.NaN), "SIGKILL");
  await ended;
  expect(existsSync(kept)).toBe(true);
  expect((await tree.run()).code).toBe(0);
  expect(tree.listStages()).toEqual([]);
});

test("Ctrl-C ends set-up and npm, and frees the lock", async () => {
  using tree = new SetupTree();
  const child = tree.start({ FAKE_NPM_SECONDS: "20" });
  const code = new Promise((resolve) => child.once("close", resolve));
  await expect.poll(() => tree.readLog(), { timeout: 30_000 }).toEqual(["start ci"]);
  process.kill(-(child.pid ?? Number.NaN), "SIGINT");
  expect(await Promise.race([code, sleep(20_000, "still running")])).toBe(130);
  await expect.poll(() => tree.isNpmRunning(), { timeout: 10_000 }).toBe(false);
  expect(readdirSync(dirname(tree.path)).filter((name) => name.includes("lock"))).toEqual(["log.lockfile"]);
  expect((await tree.run()).code).toBe(0);
  expect(tree.listStages()).toEqual([]);
});

test("a set-up frees the lock when only the holder's process is killed", async () => {
  using tree = new SetupTree();
  const killed = tree.start({ FAKE_NPM_SECONDS: "2" });
  const ended = new Promise((resolve) => killed.once("close", resolve));
  await expect.poll(() => tree.readLog(), { timeout: 30_000 }).toEqual(["start ci"]);
  killed.kill("SIGKILL");
  await ended;
  expect(await tree.run()).toMatchObject({ code: 0, stderr: expect.not.stringContaining("waiting") });
  expect(existsSync(join(tree.path, "node_modules", ".lifeboat-setup.json"))).toBe(true);
});

test("packages do not count as installed when one is missing", async () => {
  using tree = new SetupTree();
  tree.installByHand();
  rmSync(join(tree.path, "node_modules", "tool"), { recursive: true });
  expect((await tree.run()).code).toBe(0);
  expect(tree.takeLog()).toEqual(["start ci", "end", "binaries"]);
});
