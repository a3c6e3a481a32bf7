import { existsSync, readdirSync, readFileSync, readlinkSync } from "node:fs";

import { afterAll, beforeAll, expect } from "vitest";

import { waitFor } from "../../app/cli/wait-for.ts";
import type { UserDataInput } from "../../cloud-init/user-data-input.ts";
import { releaseFiles } from "../../scripts/build/release-files.ts";
import { findRefusedBoot } from "../../scripts/up/boot-reports.ts";
import { MachineRoot, machineTest } from "./machine-root.ts";
import { ReleaseBucket } from "./release-bucket.ts";
import { stubCommand } from "./stub-command.ts";
import { writeUserData } from "./write-user-data.ts";

const install = "/usr/local/lib/lifeboat/install-release";
const refused = 100;
const httpError = 22;
const makeHostKey =
  "mkdir -p /etc/ssh /var/lib/cloud/data; echo 4711 >/var/lib/cloud/data/instance-id; echo ssh-ed25519 AAAA >/etc/ssh/ssh_host_ed25519_key.pub";

let bucket: ReleaseBucket;
let birth: string;
let other: string;
beforeAll(async () => {
  bucket = await ReleaseBucket.open();
  [birth, other] = [await putRelease("birth"), await putRelease("other")];
}, 120_000);
afterAll(() => bucket[Symbol.asyncDispose]());

const putRelease = (name: string) =>
  bucket.putRelease([...releaseFiles(), { name: "VERSION.json", executable: false, text: name }]);

async function openMachine(changed: Partial<UserDataInput> = {}): Promise<MachineRoot> {
  const root = await MachineRoot.open(["sleep", "infinity"]);
  await root.openDoor(bucket.port);
  writeUserData(root, bucket.renderUserData(birth, changed));
  // No systemd in here: its answer is that nothing runs.
  await stubCommand(root, "systemctl", 'test "$1" != is-active');
  return root;
}

machineTest("a machine of a young bucket gets the release of its birth, and a second run changes nothing", async () => {
  await using root = await openMachine();
  expect(await root.run([install])).toMatchObject({ code: 0, stderr: "" });
  expect(readCurrent(root)).toBe(birth);
  expect((await root.run(["cat", "/etc/systemd/system/app.service"])).stdout).toContain("main.mjs");
  expect(readdirSync(root.path("/opt/lifeboat")).toSorted()).toEqual(["current", "lock", "releases"]);
  await stubCommand(root, "curl", "exit 1");
  expect(await root.run([install])).toMatchObject({ code: 0, stderr: "" });
});

machineTest("a desired release comes before the one of the birth", async () => {
  await bucket.put("desired-release.json", JSON.stringify({ sha256: other, previous: birth }, null, 2));
  await using root = await openMachine();
  expect(await root.run([install])).toMatchObject({ code: 0 });
  expect(readCurrent(root)).toBe(other);
  await bucket.delete("desired-release.json");
});

machineTest("a release that is named comes before the current one, and the current one stays", async () => {
  await using root = await openMachine();
  await root.run([install]);
  expect(await root.run([install, other])).toMatchObject({ code: 0 });
  expect(readCurrent(root)).toBe(other);
  expect(existsSync(root.path(`/opt/lifeboat/releases/${birth}/VERSION.json`))).toBe(true);
});

machineTest(
  "only the current release is kept when another one is fetched, so that the disk does not fill up",
  async () => {
    await using root = await openMachine();
    await root.run([install]);
    await root.run([install, other]);
    const third = await putRelease("third");
    expect(await root.run([install, third])).toMatchObject({ code: 0 });
    expect(readdirSync(root.path("/opt/lifeboat/releases")).toSorted()).toEqual([other, third].toSorted());
  },
);

machineTest("a wrong secret is refused, installs nothing and is shown nowhere", async () => {
  const key = { ...bucket.key, secretAccessKey: "wrong-secret" };
  await using root = await openMachine({ key });
  const { code, stderr } = await root.run([install]);
  expect({ code, stderr }).toEqual({ code: httpError, stderr: expect.stringContaining("403") });
  expect(stderr).not.toContain("wrong-secret");
  expect(readdirSync(root.path("/opt/lifeboat/releases"))).toEqual([]);
});

machineTest("the secret is in no command line", async () => {
  await using root = await openMachine();
  await stubCommand(root, "curl", 'echo "$@" >>/run/curl-words; cat >/dev/null; exit 1');
  await root.run([install]);
  const words = readFileSync(root.path("/run/curl-words"), "utf8");
  expect(words).toContain("x-amz-content-sha256: ");
  expect(words).not.toContain(bucket.key.secretAccessKey);
});

machineTest("an archive of another hash is refused and not unpacked", async () => {
  const forged = "f0".repeat(32);
  await bucket.put(`releases/${forged}.tar.gz`, "not what it says");
  await using root = await openMachine();
  expect(await root.run([install, forged])).toMatchObject({
    code: refused,
    stderr: expect.stringContaining("another SHA-256"),
  });
  expect(readdirSync(root.path("/opt/lifeboat/releases"))).toEqual([]);
});

machineTest("a release that the bucket has lost is refused with what brings it back, and reported", async () => {
  const since = new Date();
  await using root = await openMachine();
  const { code, stderr } = await root.run([install, "10".repeat(32)]);
  expect([code, stderr]).toEqual([refused, expect.stringContaining(`the bucket has no releases/${"10".repeat(32)}`)]);
  const report = await findRefusedBoot(bucket.store, since);
  // Without a provider, machines go by what the disk says.
  const machine = readFileSync(root.path("/etc/machine-id"), "utf8").trim();
  expect(report).toMatchObject({ machine, next: expect.stringContaining("npm run up") });
  expect(readdirSync(root.path("/opt/lifeboat/releases"))).toEqual([]);
});

machineTest(
  "a bucket that is not ours says nothing about what is desired; a report says so where `up` looks",
  async () => {
    const since = new Date();
    await using root = await openMachine({ bucket: { ...bucket.place, bucketId: "of-another-bucket" } });
    await root.run(["sh", "-c", "mkdir -p /var/lib/cloud/data && echo 4711 >/var/lib/cloud/data/instance-id"]);
    const { code, stderr } = await root.run([install]);
    expect([code, stderr]).toEqual([refused, expect.stringContaining("lifeboat.json is not of bucket")]);
    const report = await findRefusedBoot(bucket.store, since);
    // What the bucket holds stands in it as it is, with its quotes.
    expect(report).toMatchObject({ machine: "4711", cause: expect.stringMatching(/: \{ ?"format"/) });
    expect(report?.next).toMatch(/pulumi config.*systemctl restart lifeboat-bootstrap/);
    expect(stderr).toContain(report?.next);
  },
);

machineTest("a bucket that has lost its lifeboat.json is refused with what brings it back, and reported", async () => {
  const since = new Date();
  await using root = await openMachine();
  await bucket.delete("lifeboat.json");
  // Begins like it, and is none.
  await bucket.put("lifeboat.json.old", "{}");
  const { code, stderr } = await root.run([install]);
  await bucket.put("lifeboat.json", JSON.stringify({ format: 1, bucketId: bucket.place.bucketId }));
  await bucket.delete("lifeboat.json.old");
  expect([code, stderr]).toEqual([refused, expect.stringContaining("the bucket has no lifeboat.json")]);
  const report = await findRefusedBoot(bucket.store, since);
  expect(report?.cause).toContain("the bucket has no lifeboat.json");
  expect(report?.next).toMatch(/old versions.*systemctl restart lifeboat-bootstrap/);
  expect(stderr).toContain(report?.next);
  expect(await root.run([install])).toMatchObject({ code: 0 });
});

machineTest.each([[install], [install, "10".repeat(32)], ["/usr/local/lib/lifeboat/tell-host-keys"]])(
  "a missing bucket is reported as missing by %s %s",
  async (...words) => {
    await using root = await openMachine({ bucket: { ...bucket.place, bucket: "nobody-made-this" } });
    await root.run(["sh", "-c", makeHostKey]);
    const { code, stderr } = await root.run(words);
    expect([code, stderr]).toEqual([
      refused,
      expect.stringMatching(/no bucket at .*nobody-made-this; next: .*pulumi config/),
    ]);
  },
);

machineTest("what only begins like the desired release is none", async () => {
  await bucket.put("desired-release.json.old", JSON.stringify({ sha256: other }));
  await using root = await openMachine();
  expect(await root.run([install])).toMatchObject({ code: 0, stderr: "" });
  expect(readCurrent(root)).toBe(birth);
  await bucket.delete("desired-release.json.old");
});

machineTest("a refusal that the bucket does not take is told all the same", async () => {
  await using root = await openMachine({ key: { ...bucket.key, secretAccessKey: "wrong-secret" } });
  const { code, stderr } = await root.run(["/usr/local/lib/lifeboat/refuse", 'a "cause"', "a command"]);
  expect([code, stderr]).toEqual([
    refused,
    expect.stringMatching(/refused: a "cause"; next: a command[^]*nor does the bucket/),
  ]);
});

machineTest.each(["../../etc", "", "latest", `${"a".repeat(64)}\nb`])(
  "%j is not the name of a release",
  async (name) => {
    await using root = await openMachine();
    expect(await root.run([install, name])).toMatchObject({
      code: refused,
      stderr: expect.stringContaining("is not a SHA-256"),
    });
  },
);

machineTest("the host keys are told to the bucket once, and a machine without SSH goes on", async () => {
  await using root = await openMachine();
  const tell = "/usr/local/lib/lifeboat/tell-host-keys";
  expect(await root.run([tell])).toMatchObject({ code: 0, stderr: "" });
  await root.run(["sh", "-c", makeHostKey]);
  expect(await root.run([tell])).toMatchObject({ code: 0, stderr: "" });
  const request = "/usr/local/lib/lifeboat/request-object";
  expect((await root.run([request, "reports/host-keys/4711"])).stdout).toBe("ssh-ed25519 AAAA\n");
  await stubCommand(root, "curl", "exit 1");
  expect(await root.run([tell])).toMatchObject({ code: 0 });
});

machineTest("an administrator's own settings of one of Debian's units stay, and get ours beside them", async () => {
  await using root = await openMachine();
  const folder = "/etc/systemd/system/apt-daily-upgrade.service.d";
  await root.run(["sh", "-c", `mkdir ${folder} && echo '[Service]' >${folder}/override.conf`]);
  expect(await root.run([install])).toMatchObject({ code: 0, stderr: "" });
  expect(readdirSync(root.path(folder)).toSorted()).toEqual(["60-lifeboat.conf", "override.conf"]);
  expect((await root.run(["cat", `${folder}/60-lifeboat.conf`])).stdout).toContain("prepare-upgrades");
});

machineTest("who waited for somebody else's release does not go back to the desired one", async () => {
  await using root = await openMachine();
  await root.run(["mkdir", "-p", "/opt/lifeboat/releases"]);
  const hold = `flock 9; touch /run/held; sleep 1; mkdir -p named; touch named/VERSION.json; ln -s named current`;
  const holding = root.run(["sh", "-c", `cd /opt/lifeboat; exec 9>lock; ${hold}`]);
  await waitFor("the lock", () => root.succeeds(["test", "-e", "/run/held"]), { timeoutMs: 10_000 });
  expect(await root.run([install])).toMatchObject({ code: 0 });
  await holding;
  expect(readCurrent(root)).toBe("named");
});

machineTest("what a cut-off run left behind does not stand in the way", async () => {
  await using root = await openMachine();
  await root.run(["mkdir", "-p", "/opt/lifeboat/incoming/half", "/opt/lifeboat/releases"]);
  expect(await root.run([install])).toMatchObject({ code: 0 });
  expect(existsSync(root.path(`/opt/lifeboat/releases/${birth}/half`))).toBe(false);
});

function readCurrent(root: MachineRoot): string | undefined {
  return readlinkSync(root.path("/opt/lifeboat/current")).split("/").at(-1);
}
