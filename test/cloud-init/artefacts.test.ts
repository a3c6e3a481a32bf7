import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { expect, test } from "vitest";

import { exitCodes } from "../../app/exit-codes.ts";
import { renderUserData } from "../../cloud-init/user-data.ts";
import { exampleInput } from "./example-input.ts";
import { readUnit, readUnitEnvironment } from "./read-unit.ts";

const folder = join(import.meta.dirname, "../../cloud-init");
const files = listFiles();
const scripts = files.filter((path) => readFileSync(path, "utf8").startsWith("#!"));
const scriptLimitLines = 40;

test("shellcheck finds nothing", ({ skip }) => {
  skip(isMissing("shellcheck"), "shellcheck is not installed");
  const { stdout, status } = spawnSync("shellcheck", scripts, { encoding: "utf8" });
  expect({ stdout, status }).toEqual({ stdout: "", status: 0 });
});

test("every script is small, stops at the first failure and may be executed", () => {
  expect(scripts.length).toBeGreaterThan(5);
  for (const path of scripts) {
    const text = readFileSync(path, "utf8");
    expect(text, path).toMatch(/^#!\/bin\/sh\n(#.*\n)+set -eu\n/);
    expect(text.split("\n").length, path).toBeLessThanOrEqual(scriptLimitLines + 1);
    expect(statSync(path).mode & 0o111, path).not.toBe(0);
  }
});

test("systemd understands every unit", ({ skip }) => {
  skip(isMissing("systemd-analyze"), "systemd-analyze is not installed");
  const units = files.filter((path) => /\.(service|target)$/.test(path));
  expect(units).toHaveLength(13);
  const { stderr } = spawnSync("systemd-analyze", ["verify", "--man=no", ...units], { encoding: "utf8" });
  // The programs are on the machine and not here.
  const complaints = stderr.split("\n").filter((line) => line !== "" && !/is not executable: No such file/.test(line));
  expect(complaints).toEqual([]);
});

// That the kernel obeys is shown by test/machine/network.test.ts.
test.for(files.filter((path) => path.endsWith(".service")))("%s is hardened", (path, { skip }) => {
  skip(isMissing("systemd-analyze"), "systemd-analyze is not installed");
  const words = ["security", "--offline=true", "--threshold=20", "--no-pager", path];
  const { status, stdout } = spawnSync("systemd-analyze", words, { encoding: "utf8" });
  expect(status, stdout).toBe(0);
});

test.each(["boot.service", "app.service", "litestream.service"])("%s runs without privileges", (unit) => {
  expect(readUnit(unit, "User")).toEqual(["lifeboat"]);
});

test("nothing that the target wants holds up boot", () => {
  const wanted = readUnit("lifeboat.target", "Wants").flatMap((line) => line.split(" "));
  const later = new Set(readUnit("lifeboat.target", "Before").flatMap((line) => line.split(" ")));
  expect(wanted).toContain("caddy.service");
  expect(wanted.filter((unit) => !later.has(unit))).toEqual([]);
});

test.each(["caddy.service", "edge.service"])("%s has a home, which its made-up user lacks", (unit) => {
  expect(readUnitEnvironment(unit)["HOME"]).toBe(`/var/lib/${readUnit(unit, "StateDirectory")[0]}`);
});

test.each(["boot.service", "app.service"])("%s is not restarted after an exit code that forbids it", (unit) => {
  const codes = Object.values(exitCodes).toSorted((left, right) => left - right);
  expect(readUnit(unit, "RestartPreventExitStatus")).toEqual([codes.join(" ")]);
});

test("what runs in a container is not restarted after them either", () => {
  const [, codes = ""] =
    /case \$code in ([\d |]+)\)/.exec(readFileSync(join(folder, "release/bin/run-contained"), "utf8")) ?? [];
  expect(codes.split(" | ").map(Number)).toEqual(Object.values(exitCodes).toSorted((left, right) => left - right));
});

test("cloud-init accepts the user-data", ({ skip }) => {
  skip(isMissing("cloud-init"), "cloud-init is not installed");
  const directory = mkdtempSync(join(tmpdir(), "lifeboat-user-data-"));
  try {
    const path = join(directory, "user-data");
    writeFileSync(path, renderUserData({ ...exampleInput, filesystem: "btrfs" }));
    const { status, stdout, stderr } = spawnSync("cloud-init", ["schema", "--config-file", path], { encoding: "utf8" });
    expect({ status, said: stdout + stderr }).toMatchObject({ status: 0, said: expect.stringMatching(/Valid/) });
  } finally {
    rmSync(directory, { recursive: true });
  }
});

function listFiles(): string[] {
  const entries = ["bootstrap", "release"].flatMap((name) =>
    readdirSync(join(folder, name), { recursive: true, withFileTypes: true }),
  );
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

function isMissing(command: string): boolean {
  return spawnSync("which", [command]).status !== 0;
}
