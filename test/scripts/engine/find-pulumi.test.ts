import { chmodSync, mkdirSync, mkdtempDisposableSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { expect, test } from "vitest";

import { findPulumi, findRoot } from "../../../scripts/engine/find-pulumi.ts";

test("of several kept versions the newest is taken, by number and not by letter", () => {
  using home = mkdtempDisposableSync(join(tmpdir(), "lifeboat-home-"));
  for (const version of ["3.99.0", "3.270.0"]) installPulumi(join(home.path, "versions", version), version);
  mkdirSync(join(home.path, "versions", "4.0.0"));
  expect(findRoot(home.path)).toBe(join(home.path, "versions", "3.270.0"));
});

test("what the installer left in its own folder is found", () => {
  using home = mkdtempDisposableSync(join(tmpdir(), "lifeboat-home-"));
  installPulumi(home.path, "3.270.0");
  expect(findRoot(home.path)).toBe(home.path);
});

test("without any the message says where to get it", async () => {
  using home = mkdtempDisposableSync(join(tmpdir(), "lifeboat-home-"));
  await expect(findPulumi({ PATH: home.path, PULUMI_HOME: home.path })).rejects.toThrow(
    "https://www.pulumi.com/docs/install/",
  );
});

function installPulumi(root: string, version: string): void {
  mkdirSync(join(root, "bin"), { recursive: true });
  writeFileSync(join(root, "bin", "pulumi"), `#!/bin/sh\necho v${version}\n`);
  chmodSync(join(root, "bin", "pulumi"), 0o755);
}
