import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";

import { afterEach, beforeEach, expect, test } from "vitest";

import { renderUserData } from "../../../cloud-init/user-data.ts";
import { readMachineSettings, renderSettings } from "../../../scripts/cloud/machine-settings.ts";
import { exampleInput } from "../../cloud-init/example-input.ts";
import { MachineRoot, machineTest } from "../../cloud-init/machine-root.ts";
import { stubCommand } from "../../cloud-init/stub-command.ts";
import { writeUserData } from "../../cloud-init/write-user-data.ts";

// What it does to a machine with a real systemd is shown by test/machine/bring-up.test.ts.
const path = join(import.meta.dirname, "../../../scripts/cloud/bring-up.sh");
const script = readFileSync(path, "utf8");
const given = {
  accessKeyId: "new",
  secretAccessKey: "n3w/secret+",
  apiTokensSha256: ["c".repeat(64)],
  replicationIntervalMs: 1000,
  retentionHours: 24,
};

let root: MachineRoot;
beforeEach(async () => {
  root = await MachineRoot.open(["sleep", "infinity"]);
  writeUserData(root, renderUserData(exampleInput));
  for (const name of ["cloud-init", "systemctl", "install-release"])
    await stubCommand(root, name, 'echo "${0##*/} $*" >>/run/calls');
  await root.run(["ln", "-sf", "/usr/local/sbin/install-release", "/usr/local/lib/lifeboat/install-release"]);
  await root.run(["install", "-D", "/usr/local/sbin/systemctl", "/opt/lifeboat/current/bin/serve"]);
});
afterEach(() => root[Symbol.asyncDispose]());

const bringUp = () =>
  root.run(["sh", "-c", `set -- ${"a".repeat(64)}\n${script}`], `${renderSettings(given)}# complete`);
const readCalls = async () => (await root.run(["cat", "/run/calls"])).stdout;

machineTest("what is given replaces its own lines, the others stay, and only root reads them", async () => {
  expect(await bringUp()).toEqual({ code: 0, stdout: "", stderr: "" });
  const { stdout } = await root.run(["cat", "/etc/lifeboat/environment"]);
  const lines = stdout.trim().split("\n");
  expect(lines).toEqual(expect.arrayContaining(renderSettings(given).trim().split("\n")));
  expect(lines).toContain(`LIFEBOAT_BUCKET_ID='${exampleInput.bucket.bucketId}'`);
  expect(new Set(lines.map((line) => line.split("=")[0])).size).toBe(lines.length);
  expect((await root.run(["stat", "-c", "%a %U", "/etc/lifeboat/environment"])).stdout).toBe("600 root\n");
});

machineTest("no secret is on a command line of the machine, nor in what is said", async () => {
  await bringUp();
  expect(await readCalls()).toContain(`install-release ${"a".repeat(64)}`);
  expect(await readCalls()).not.toContain(given.secretAccessKey);
});

machineTest("what else went wrong in cloud-init is no obstacle, unless it left us out", async () => {
  await stubCommand(root, "cloud-init", 'echo "status: error, no locale"; exit 1');
  expect(await bringUp()).toMatchObject({ code: 0 });
  await stubCommand(root, "systemctl", 'test "$1" != is-enabled');
  expect(await bringUp()).toMatchObject({ code: 1, stderr: expect.stringContaining("status: error, no locale") });
});

test("settings that the shell would read in its own way are refused before they are sent", () => {
  expect(readMachineSettings(JSON.stringify(given))).toEqual(given);
  for (const secretAccessKey of ["it's", "a b", "a\nb", 'a"b', "a\\b", ""]) {
    expect(() => readMachineSettings(JSON.stringify({ ...given, secretAccessKey }))).toThrow("stdin must hold");
  }
  // What JSON.parse says would hold the beginning of a secret.
  expect(() => readMachineSettings("hunter2")).toThrow(/^(?!.*hunter)stdin must hold/);
});

test("the script is shellcheck-clean", ({ skip }) => {
  const { error, status, stdout } = spawnSync("shellcheck", [path], { encoding: "utf8" });
  if (error !== undefined) skip("shellcheck is not installed");
  expect([status, stdout]).toEqual([0, ""]);
});
