import { join } from "node:path";

import { expect, test } from "vitest";

import { type BinaryPin, manifest } from "../../../scripts/build/manifest.ts";
import { BinaryNotFound, resolveBinary } from "../../../scripts/build/resolve-binary.ts";
import type { ResolveOptions } from "../../../scripts/build/resolve-binary.ts";
import { makeArchive, makePin, makeSandbox, serveRelease, writeExecutable } from "./fake-binary.ts";

const limits = { answerMs: 300, downloadMs: 600 };

async function failToResolve({ pin = makePin(), ...options }: ResolveOptions & { pin?: BinaryPin }): Promise<string> {
  const resolved = resolveBinary(pin, { platform: "here", limits, ...options });
  const error: unknown = await resolved.catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(BinaryNotFound);
  return error instanceof Error ? error.message : "";
}

test("without Python the message names every source, how to get Python and what else is possible", async () => {
  using sandbox = makeSandbox();
  const message = await failToResolve({ env: sandbox.env });
  expect(message).toBe(
    'tool 1.0 for here was not found (cache: none; PATH: none; pip: python3 is not installed); install Python 3 with pip (Debian, Ubuntu: "apt install python3-pip"), or do without it',
  );
});

test("Python without pip is told apart from no Python", async () => {
  using sandbox = makeSandbox();
  writeExecutable(join(sandbox.path, "bin", "python3"), '#!/bin/sh\necho "python3: No module named pip" >&2\nexit 1\n');
  expect(await failToResolve({ env: sandbox.env })).toContain("pip: python3 has no pip); install Python 3 with pip");
});

test("when pip fails its last lines are in the message, and Python is not blamed", async () => {
  using sandbox = makeSandbox();
  const pip = '#!/bin/sh\n[ "$3" = download ] || exit 0\necho "ERROR: no matching distribution" >&2\nexit 1\n';
  writeExecutable(join(sandbox.path, "bin", "python3"), pip);
  const message = await failToResolve({ env: sandbox.env });
  expect(message).toContain("pip: python3 ended with 1: ERROR: no matching distribution); check the network");
});

test("a release server that never answers is given up after its limit", async () => {
  using sandbox = makeSandbox();
  await using release = await serveRelease(() => undefined);
  const message = await failToResolve({ pin: makePin({ releaseUrl: release.url }), env: sandbox.env });
  expect(message).toContain(`release: GET ${release.url}/tool.tar.gz: no answer in 300 ms`);
});

test("a release that stops in the middle is given up after its limit", async () => {
  using sandbox = makeSandbox();
  const archive = makeArchive(sandbox.path, "anything");
  await using release = await serveRelease((_request, response) => {
    response.writeHead(200, { "content-length": archive.length });
    response.write(archive.subarray(0, 20));
  });
  const message = await failToResolve({ pin: makePin({ releaseUrl: release.url }), env: sandbox.env });
  expect(message).toMatch(/release: GET \S+: The operation was aborted/);
});

test("a release that is missing, or is no archive, or lacks the file is named as such", async () => {
  using sandbox = makeSandbox();
  const reasons: Record<string, string> = {};
  await using missing = await serveRelease((_request, response) => response.writeHead(404).end());
  await using html = await serveRelease((_request, response) => response.end("<html>sign in</html>"));
  for (const [name, { url }] of Object.entries({ missing, html })) {
    reasons[name] = await failToResolve({ pin: makePin({ releaseUrl: url }), env: sandbox.env });
  }
  expect(reasons["missing"]).toContain("tool.tar.gz: HTTP 404");
  expect(reasons["html"]).toContain("release: tar ended with");
});

test("where SeaweedFS has no pinned build the message leads to another store", async () => {
  using sandbox = makeSandbox();
  const resolved = resolveBinary("weed", { platform: "darwin-arm64", env: sandbox.env });
  await expect(resolved).rejects.toThrow(/no pinned weed for darwin-arm64; .*--store URL/);
});

test("every pin is a SHA-256, and no two platforms share one", () => {
  const pins = Object.values(manifest).flatMap((pin) => Object.values(pin.platforms));
  const hashes = pins.flatMap((pin) => [pin.binarySha256, pin.wheelSha256]);
  expect(hashes.filter((hash) => !/^[0-9a-f]{64}$/.test(hash))).toEqual([]);
  expect(new Set(hashes).size).toBe(hashes.length);
});
