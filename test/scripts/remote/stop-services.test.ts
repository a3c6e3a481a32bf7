import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";

import { afterEach, beforeEach, expect, test } from "vitest";

import { MachineRoot, machineTest } from "../../cloud-init/machine-root.ts";
import { stubCommand } from "../../cloud-init/stub-command.ts";

// What it does to a machine with a real systemd is shown by test/machine/stop-services.test.ts.
const path = join(import.meta.dirname, "../../../scripts/remote/stop-services.sh");
const script = readFileSync(path, "utf8");

let root: MachineRoot;
beforeEach(async () => {
  root = await MachineRoot.open(["sleep", "infinity"]);
  await stubCommand(root, "journalctl", "echo the journal");
});
afterEach(() => root[Symbol.asyncDispose]());

const stopServices = () => root.run(["sh", "-c", script]);

/** A systemd that answers, and stops what it is asked to stop. */
async function stubSystemd(loadState: string, stopCode = 0): Promise<void> {
  await stubCommand(root, "systemctl", `case $1 in show) echo ${loadState} ;; stop) exit ${stopCode} ;; esac`);
}

async function writeMark(mark: unknown): Promise<void> {
  await root.run(["sh", "-c", "mkdir -p /data && cat >/data/mark.json"], JSON.stringify(mark, null, 2));
}

machineTest("an app that stopped cleanly has synced", async () => {
  await stubSystemd("loaded");
  await writeMark({ epoch: "0001", cleanStop: { txid: "0000000000000002" } });
  expect(await stopServices()).toEqual({ code: 0, stdout: "", stderr: "" });
});

machineTest("a machine that never got its release cannot speak for a volume that it did not look at", async () => {
  await stubSystemd("not-found", 5);
  expect(await stopServices()).toMatchObject({ code: 1, stderr: expect.stringContaining("never got its release") });
});

machineTest("nobody may say that all is in the bucket without a clean stop, or without a mark", async () => {
  await stubSystemd("loaded");
  const failed = { code: 1, stderr: expect.stringMatching(/no clean stop behind[^]*the journal[^]*started again/) };
  expect(await stopServices()).toMatchObject(failed);
  await writeMark({ epoch: "0001", cleanStop: null });
  expect(await stopServices()).toMatchObject(failed);
});

machineTest("services that cannot be stopped are told", async () => {
  await stubSystemd("loaded", 1);
  await writeMark({ epoch: "0001", cleanStop: { txid: "0000000000000002" } });
  expect(await stopServices()).toMatchObject({ code: 1, stderr: expect.stringContaining("cannot be stopped") });
});

test("the script is shellcheck-clean", ({ skip }) => {
  const { error, status, stdout } = spawnSync("shellcheck", [path], { encoding: "utf8" });
  skip(error !== undefined, "shellcheck is not installed");
  expect({ status, stdout }).toEqual({ status: 0, stdout: "" });
});
