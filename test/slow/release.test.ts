import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Writable } from "node:stream";

import { afterAll, beforeAll, expect, test, vi } from "vitest";

import { Transcript } from "../../app/cli/transcript.ts";
import type { Product } from "../../app/product.ts";
import { product } from "../../app/service/product.ts";
import { releaseNote } from "../../cloud-init/built-release.ts";
import { hashFile } from "../../scripts/build/binary-cache.ts";
import { buildRelease } from "../../scripts/build/build-release.ts";
import { manifest } from "../../scripts/build/manifest.ts";
import { runCommand } from "../../scripts/build/run-command.ts";
import type { Archive } from "../../scripts/build/write-archive.ts";
import { rehearse } from "../../scripts/drill.ts";
import { readArguments } from "../../scripts/drill/arguments.ts";
import { Machine } from "../../scripts/drill/machine.ts";
import { reportFindings } from "../../scripts/drill/report.ts";
import { openStage } from "../../scripts/drill/stage.ts";
import { Leftovers } from "../../scripts/local/leftovers.ts";

const timeout = 300_000;
const platform = process.arch === "arm64" ? "linux-arm64" : "linux-x64";
const elfMachine = { "linux-x64": 0x3e, "linux-arm64": 0xb7 };
const other = platform === "linux-x64" ? "linux-arm64" : "linux-x64";

let directory: string;
let release: Archive;
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "lifeboat-release-"));
  writeFileSync(releaseNote(platform, directory), '{ "sha256": "cut off he');
  // A release has the pinned one all the same.
  vi.stubEnv("LIFEBOAT_TRIED_LITESTREAM", "/nowhere/litestream");
  release = await buildRelease(platform, directory);
  vi.unstubAllEnvs();
}, timeout);
afterAll(() => rmSync(directory, { recursive: true }));

test("two builds give one hash, wherever they are started", { timeout }, async () => {
  const script = join(import.meta.dirname, "../../scripts/build/build-release.ts");
  const build = `const { buildRelease } = await import(${JSON.stringify(script)}); console.log((await buildRelease("${platform}", process.cwd())).sha256);`;
  const again = mkdtempSync(join(directory, "again-"));
  const said = await runCommand("env", ["--chdir", again, process.execPath, "--input-type=module", "--eval", build], {
    timeoutMs: timeout,
  });
  expect(said.trim()).toBe(release.sha256);
});

test("an existing release is not packed again, unless it was changed", { timeout }, async () => {
  const packedAt = statSync(release.path).mtimeMs;
  expect(await buildRelease(platform, directory)).toEqual(release);
  expect(statSync(release.path).mtimeMs).toBe(packedAt);
  truncateSync(release.path, release.bytes - 1);
  expect(await buildRelease(platform, directory)).toEqual(release);
  expect(await hashFile(release.path)).toBe(release.sha256);
});

test("the note, which was cut off before, names the archive, its size and its place", async () => {
  const note: unknown = JSON.parse(readFileSync(join(directory, `latest-${platform}.json`), "utf8"));
  expect(note).toEqual({
    sha256: release.sha256,
    bytes: release.bytes,
    path: expect.stringContaining(`${release.sha256}.tar.gz`),
    content: expect.stringMatching(/^[0-9a-f]{64}$/),
  });
  expect(await hashFile(release.path)).toBe(release.sha256);
});

test(
  "unpacked into a bare directory, it passes the drill with its own Node, app and Litestream",
  { timeout },
  async () => {
    const home = await unpack(release);
    const output = new Writable({ write: (_chunk, _encoding, done) => done() });
    const transcript = new Transcript({ output, colour: false });
    await using stage = await openStage({
      options: readArguments(["--seed", "7"], {}),
      transcript,
      leftovers: new Leftovers(),
    });
    const app = {
      boot: join(home, "app/boot.mjs"),
      lifeboat: join(home, "app/lifeboat.mjs"),
      main: join(home, "app/main.mjs"),
    };
    const site = { ...stage.site, app, node: join(home, "bin/node"), litestream: join(home, "bin/litestream") };
    const findings = await rehearse({ ...stage, site });
    const report = reportFindings(findings, { options: stage.options, versions: {}, durationMs: 0 });
    expect(report).toMatchObject({ ok: true, failures: [], lost: { bucket: 0 } });
    await using machine = await Machine.switchOn("pages", site);
    await machine.waitUntilReady(60_000);
    await expectPages(machine.target.port, product);
  },
);

test("a release for the other kind of machine holds its binaries, pinned like ours", { timeout }, async () => {
  const home = await unpack(await buildRelease(other, directory));
  const programs = ["bin/node", "bin/litestream", "bin/caddy"];
  for (const path of programs) expect(readFileSync(join(home, path)).readUInt16LE(18), path).toBe(elfMachine[other]);
  for (const name of ["litestream", "caddy"] as const)
    expect(await hashFile(join(home, "bin", name))).toBe(manifest[name].platforms[other]?.binarySha256);
  expect(JSON.parse(readFileSync(join(home, "VERSION.json"), "utf8"))).toMatchObject({
    platform: other,
    litestream: manifest.litestream.version,
    caddy: manifest.caddy.version,
  });
});

/** The release carries the product's pages, and serves them as they are. */
async function expectPages(port: number, { pages }: Product): Promise<void> {
  if (pages === undefined) return;
  const names = readdirSync(pages.folder);
  expect(names).not.toEqual([]);
  for (const name of names) {
    const answer = await fetch(`http://127.0.0.1:${port}${pages.path}${name}`);
    expect(answer.status, name).toBe(200);
    expect(await answer.text(), name).toBe(readFileSync(new URL(name, pages.folder), "utf8"));
  }
}

async function unpack({ path }: Archive): Promise<string> {
  const home = mkdtempSync(join(directory, "home-"));
  await runCommand("tar", ["-xzf", path, "-C", home], { timeoutMs: 60_000 });
  return home;
}
