import { execFileSync } from "node:child_process";
import { tmpdir } from "node:os";

import { expect, test } from "vitest";

import { resolveNode } from "../../../scripts/build/resolve-node.ts";

test("the Node of this computer's platform is the one that npm installed", async () => {
  const { version, path } = await resolveNode(`linux-${process.arch}`, tmpdir());
  expect(execFileSync(path, ["--version"], { encoding: "utf8" }).trim()).toBe(`v${version}`);
});

test("a platform that the lockfile does not pin is refused", async () => {
  await expect(resolveNode("linux-riscv64", tmpdir())).rejects.toThrow(/does not pin node-linux-riscv64/);
});
