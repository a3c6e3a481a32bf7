import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";

import { afterAll, afterEach, beforeAll, beforeEach, expect } from "vitest";

import { exitCodes } from "../../app/exit-codes.ts";
import { type MachineSettings, renderSettings } from "../../scripts/remote/machine-settings.ts";
import { MachineBucket } from "../../scripts/store/machine-bucket.ts";
import { exampleInput } from "../cloud-init/example-input.ts";
import { type Ran, machineTest } from "../cloud-init/machine-root.ts";
import { ReleaseBucket } from "../cloud-init/release-bucket.ts";
import { stubCommand } from "../cloud-init/stub-command.ts";
import { VolumeFile } from "../cloud-init/volume-file.ts";
import type { Key } from "../infra/limited-key.ts";
import { makeMachineKey, revokeKey } from "./bucket-key.ts";
import { BuiltRelease } from "./built-release.ts";
import { hostKey, SystemdMachine } from "./systemd-machine.ts";
import { Traffic } from "./traffic.ts";

const timeout = 300_000;
const gibibyte = 1024 ** 3;
const isBtrfsThere = spawnSync("which", ["mkfs.btrfs"]).status === 0;
const script = readFileSync(join(import.meta.dirname, "../../scripts/remote/bring-up.sh"), "utf8");
const second = "a-second-token";
const secondToken = createHash("sha256").update(second).digest("hex");

let release: BuiltRelease;
let bucket: ReleaseBucket;
let firstKey: Key;
const { edge, settingsKey } = exampleInput;
const common = { replicationIntervalMs: 1000, syncsPerMonth: 26_000_000, retentionHours: 24, edge, settingsKey };
beforeAll(async () => {
  release = await BuiltRelease.make();
}, timeout);
afterAll(() => release[Symbol.dispose]());

let cleanup: AsyncDisposableStack;
let machine: SystemdMachine;
let volume: VolumeFile;
beforeEach(async () => {
  cleanup = new AsyncDisposableStack();
  bucket = cleanup.use(await ReleaseBucket.open({ iamApi: true }));
  await release.upload(bucket);
  firstKey = await makeMachineKey(bucket, "first");
  volume = cleanup.use(new VolumeFile());
  // The larger size of systemd's least for btrfs; ext4 grows only where this computer lets it (test/cloud-init/grow-volume.test.ts).
  volume.grow(300 * 1024 ** 2);
  const filesystem = isBtrfsThere ? "btrfs" : "ext4";
  machine = cleanup.use(await SystemdMachine.switchOn(bucket, release.sha256, volume, { key: firstKey, filesystem }));
  // It has done its work, as writeUserData did it.
  await stubCommand(machine.root, "cloud-init", "");
}, timeout);
afterEach(() => cleanup.disposeAsync(), timeout);

/** What is sent by `pulumi up` over SSH. */
function bringUp(sha256: string, changed: Partial<MachineSettings> = {}, volumeGb = 0): Promise<Ran> {
  return machine.root.run(["sh", "-c", `set -- ${sha256} ${volumeGb}\n${script}`], renderSettings(settings(changed)));
}

function settings(changed: Partial<MachineSettings>): MachineSettings {
  return {
    ...firstKey,
    ...common,
    apiTokensSha256: [machine.tokenSha256],
    ...changed,
  };
}

const readEnvironment = () => machine.do("sort", "/etc/lifeboat/environment", "/etc/lifeboat/tokens");
const readProcess = () => machine.show("app.service", "MainPID");

machineTest("a machine is brought up at its birth, and a second run changes nothing", { timeout }, async () => {
  expect(await bringUp(release.sha256)).toEqual({ code: 0, stdout: "", stderr: "" });
  expect(await machine.ask("GET", "/ready")).toMatchObject({ status: 200 });
  expect(await machine.countStarts()).toBe(1);
  expect(await machine.do("stat", "-c", "%a %U %G", "/etc/lifeboat/tokens")).toBe("640 root lifeboat\n");
  const { endpoint, region } = bucket.access;
  using place = await MachineBucket.open(
    {
      LIFEBOAT_BUCKET: bucket.place.bucket,
      LIFEBOAT_REGION: region,
      LIFEBOAT_ENDPOINT: endpoint,
      LIFEBOAT_PATH_STYLE: "true",
    },
    settings({}),
  );
  expect(await place.waitForHostKeys(machine.serverNumber)).toEqual([hostKey]);
  const [environment, process] = [await readEnvironment(), await readProcess()];
  expect(await bringUp(release.sha256)).toEqual({ code: 0, stdout: "", stderr: "" });
  expect([await readEnvironment(), await readProcess()]).toEqual([environment, process]);
  expect(await machine.do("ls", "/etc/lifeboat")).toBe("complete\nedge\nenvironment\nsettings-key\ntokens\n");
});

machineTest(
  "a larger volume serves with its new size, without a restart; one that cannot grow serves on",
  { timeout },
  async ({ skip }) => {
    skip(!isBtrfsThere, "mkfs.btrfs is not installed");
    expect(await bringUp(release.sha256)).toMatchObject({ code: 0 });
    const process = await readProcess();
    volume.grow(gibibyte);
    expect(await bringUp(release.sha256, {}, 1)).toEqual({
      code: 0,
      stdout: "",
      stderr: expect.stringMatching(/^lifeboat: the filesystem at \/data has grown from \d+ to 1073741824 bytes\n$/),
    });
    expect(await bringUp(release.sha256, {}, 1)).toEqual({ code: 0, stdout: "", stderr: "" });
    const missed = await bringUp(release.sha256, {}, 2);
    expect([missed.code, missed.stderr]).toEqual([0, expect.stringContaining("has not heard of 2 GB")]);
    expect(await readProcess()).toBe(process);
    expect(await machine.ask("POST", "/customers", { name: "Ada", email: "ada@example.test" })).toMatchObject({
      status: 201,
    });

    volume.grow(2 * gibibyte);
    await machine.do("systemctl", "restart", "lifeboat-bootstrap.service");
    await machine.waitUntilReady();
    expect(await machine.do("stat", "-f", "-c", "%b", "/data")).toBe(`${(2 * gibibyte) / 4096}\n`);
  },
);

machineTest(
  "a rotated key serves after one restart; the old one can be revoked, and writes go on",
  { timeout },
  async () => {
    expect(await bringUp(release.sha256)).toMatchObject({ code: 0 });
    const secondKey = await makeMachineKey(bucket, "second");
    const traffic = Traffic.start(machine);
    expect(await bringUp(release.sha256, secondKey)).toMatchObject({ code: 0, stderr: "" });
    expect(await machine.countStarts()).toBe(2);
    await revokeKey(bucket, "first", firstKey);
    await traffic.waitForWrites(20);
    const { acknowledged, longestGapMs } = await traffic.stop();
    console.info(`key rotation: no write was acknowledged for ${longestGapMs} ms`);
    for (const path of acknowledged) expect(await machine.ask("GET", path)).toMatchObject({ status: 200 });
    expect(JSON.stringify(await readEnvironment())).not.toContain(firstKey.secretAccessKey);
  },
);

machineTest("settings that do not serve are taken back, and the cause is told", { timeout }, async () => {
  expect(await bringUp(release.sha256)).toMatchObject({ code: 0 });
  const environment = await readEnvironment();
  const wrong = await bringUp(release.sha256, { secretAccessKey: "wrong-secret" });
  expect(wrong).toMatchObject({ code: 1, stderr: expect.stringMatching(/key-refused[^]*going back to the settings/) });
  expect(wrong.stderr).not.toContain("wrong-secret");
  expect(await readEnvironment()).toBe(environment);
  expect(await machine.ask("POST", "/customers", { name: "Ada", email: "ada@example.test" })).toMatchObject({
    status: 201,
  });
  expect(await machine.do("ls", "/etc/lifeboat")).toBe("complete\nedge\nenvironment\nsettings-key\ntokens\n");
});

machineTest(
  "a release and a token come with one restart; a sick release leaves both as they were",
  { timeout },
  async () => {
    expect(await bringUp(release.sha256)).toMatchObject({ code: 0 });
    const apiTokensSha256 = [machine.tokenSha256, secondToken];
    const next = await bucket.putRelease(release.change({ "NEXT.txt": "next" }));
    expect(await bringUp(next, { apiTokensSha256 })).toMatchObject({ code: 0, stderr: "" });
    expect(await machine.countStarts()).toBe(2);
    expect(await machine.do("readlink", "/opt/lifeboat/current")).toContain(next);

    const environment = await readEnvironment();
    const sick = await bucket.putRelease(release.change({ "app/main.mjs": `process.exit(${exitCodes.config});` }));
    expect(await bringUp(sick)).toMatchObject({ code: 1, stderr: expect.stringContaining("going back to /opt") });
    expect(await machine.ask("GET", "/ready")).toMatchObject({ status: 200 });
    expect(await machine.do("readlink", "/opt/lifeboat/current")).toContain(next);
    expect(await readEnvironment()).toBe(environment);
  },
);

machineTest(
  "tokens alone restart nothing and refuse nobody; those that cannot be used are told and taken back",
  { timeout },
  async () => {
    expect(await bringUp(release.sha256)).toMatchObject({ code: 0 });
    await giveOldSettings();
    expect(await bringUp(release.sha256)).toMatchObject({ code: 0, stderr: "" });
    const [settled, starts, process] = [await readEnvironment(), await machine.countStarts(), await readProcess()];
    expect(settled).not.toContain("LIFEBOAT_API_TOKENS_SHA256");

    const traffic = Traffic.start(machine);
    const reading = machine.readOnOneConnection(100);
    const [named, rotated] = [`desk:${machine.tokenSha256}`, `shop:${secondToken}`];
    expect(await bringUp(release.sha256, { apiTokensSha256: [named, rotated] })).toMatchObject({ code: 0, stderr: "" });
    expect((await machine.ask("GET", "/customers", undefined, second)).status).toBe(200);
    expect(await bringUp(release.sha256)).toMatchObject({ code: 0, stderr: "" });
    expect((await machine.ask("GET", "/customers", undefined, second)).status).toBe(401);
    const told = /the app keeps the tokens from before[^\n]*entry 1 is neither[^]*going back to the settings/;
    const unusable = await bringUp(release.sha256, { apiTokensSha256: [`nobody: ${secondToken}`] });
    expect(unusable).toMatchObject({ code: 1, stderr: expect.stringMatching(told) });
    expect(await machine.do("journalctl", "--unit=app", "--output=cat")).toMatch(
      /"level":50.*the tokens of before stay/,
    );
    await traffic.waitForWrites(5);

    expect(new Set((await reading).slice(1))).toEqual(new Set(["200 after 0"]));
    expect((await traffic.stop()).refused).toEqual([]);
    expect([await readEnvironment(), await machine.countStarts(), await readProcess()]).toEqual([
      settled,
      starts,
      process,
    ]);
    expect(await machine.do("ls", "/etc/lifeboat")).toBe("complete\nedge\nenvironment\nsettings-key\ntokens\n");
  },
);

machineTest("a run that was cut off is finished by the next one", { timeout }, async () => {
  expect(await bringUp(release.sha256)).toMatchObject({ code: 0 });
  const changed = { apiTokensSha256: [machine.tokenSha256, secondToken], retentionHours: 48 };
  const [before, process] = [await readEnvironment(), await readProcess()];
  const half = renderSettings(settings(changed)).slice(0, -20);
  const words = ["sh", "-c", `set -- ${release.sha256}\n${script}`];
  expect(await machine.root.run(words, half)).toMatchObject({ code: 100, stderr: expect.stringContaining("cut off") });
  expect([await readEnvironment(), await readProcess()]).toEqual([before, process]);

  await stubCommand(machine.root, "systemctl", 'test "$1" != stop && exec /usr/bin/systemctl "$@"; kill -9 "$PPID"');
  expect(await bringUp(release.sha256, changed)).not.toMatchObject({ code: 0 });
  await machine.do("rm", "/usr/local/sbin/systemctl");
  expect(await readProcess()).toBe(process);
  expect(await bringUp(release.sha256, changed)).toMatchObject({ code: 0 });
  expect(await machine.countStarts()).toBe(2);
  expect(await readProcess()).not.toBe(process);

  // As a bootstrap advises that finds another volume.
  await machine.do("sh", "-c", "systemctl stop lifeboat.target && umount /data");
  expect((await machine.root.run(["systemctl", "start", "boot.service"])).code).not.toBe(0);
  expect(await machine.show("boot.service", "AssertResult")).toBe("no");
  expect(await bringUp(release.sha256, changed)).toMatchObject({ code: 0 });
});

/** Those of a machine whose tokens stand among its settings, as before there was a file for them. */
async function giveOldSettings(): Promise<void> {
  const line = `LIFEBOAT_API_TOKENS_SHA256='${machine.tokenSha256}'`;
  await machine.do(
    "sed",
    "-i",
    `s/^LIFEBOAT_API_TOKENS_FILE=.*/${line}/; /^LIFEBOAT_HEARTBEAT_URL=/d`,
    "/etc/lifeboat/environment",
  );
  await machine.do("rm", "/etc/lifeboat/tokens");
  await machine.do("systemctl", "restart", "app.service");
  await machine.waitUntilReady();
  expect((await machine.ask("GET", "/customers")).status).toBe(200);
}
