import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";

import { afterAll, afterEach, beforeAll, beforeEach, expect } from "vitest";

import { renderUserData } from "../../cloud-init/user-data.ts";
import { exampleInput } from "./example-input.ts";
import { MachineRoot, machineTest } from "./machine-root.ts";
import { stubCommand } from "./stub-command.ts";
import { VolumeFile } from "./volume-file.ts";
import { writeUserData } from "./write-user-data.ts";

const mount = "/usr/local/lib/lifeboat/mount-volume";
const refused = 100;
const name = "scsi-0HC_Volume_4711";

let root: MachineRoot;
let volume: VolumeFile;
beforeAll(async () => {
  root = await MachineRoot.open(["sleep", "infinity"]);
  const nobodyListens = { ...exampleInput.bucket, endpoint: "http://127.0.0.1:9", pathStyle: true };
  writeUserData(root, renderUserData({ ...exampleInput, bucket: nobodyListens }));
  await root.run(["systemd-sysusers", "/etc/sysusers.d/lifeboat.conf"]);
}, 60_000);
afterAll(() => root[Symbol.asyncDispose]());
beforeEach(() => {
  volume = new VolumeFile();
});
afterEach(async () => {
  await root.run([
    "sh",
    "-c",
    "umount /data; rm -rf /dev/loop* /dev/disk/by-id/* /var/lib/lifeboat /usr/local/sbin/systemctl /run/systemctl",
  ]);
  volume[Symbol.dispose]();
});

machineTest("a blank volume is formatted, mounted and given to the app's user", async () => {
  await root.addDevice(volume.device, [name]);
  expect(await root.run([mount])).toMatchObject({ code: 0, stderr: "" });
  expect((await root.run(["findmnt", "-no", "FSTYPE", "/data"])).stdout).toBe("ext4\n");
  expect((await root.run(["stat", "-c", "%U %a", "/data"])).stdout).toBe("lifeboat 700\n");
  expect((await root.run(["findmnt", "-no", "OPTIONS", "/data"])).stdout).toMatch(/nosuid,nodev,noexec,noatime/);
});

machineTest("a kept volume keeps its files, at a second run and on the next machine", async () => {
  await root.addDevice(volume.device, [name]);
  await root.run([mount]);
  await root.run(["sh", "-c", "echo rows >/data/app.db"]);
  expect(await root.run([mount])).toMatchObject({ code: 0 });
  await root.run(["umount", "/data"]);
  expect(await root.run([mount])).toMatchObject({ code: 0 });
  expect((await root.run(["cat", "/data/app.db"])).stdout).toBe("rows\n");
});

machineTest("a volume that was detached and attached again is mounted anew, with its files", async () => {
  await stubCommand(root, "systemctl", 'echo "$@" >>/run/systemctl');
  await root.addDevice(volume.device, [name]);
  await root.run([mount]);
  await root.run(["sh", "-c", "echo rows >/data/app.db && sync -f /data"]);
  expect(await root.run([mount])).toMatchObject({ code: 0, stderr: "" });
  using again = volume.plugInAgain();
  await root.run(["rm", `/dev/disk/by-id/${name}`]);
  await root.addDevice(again.device, [name]);
  // The app, which has its files open.
  await root.run(["sh", "-c", "sleep 60 9</data/app.db >/dev/null 2>&1 &"]);
  const { code, stderr } = await root.run([mount]);
  expect([code, stderr]).toEqual([0, expect.stringMatching(`${volume.device}.* does not answer`)]);
  expect((await root.run(["findmnt", "-no", "SOURCE", "/data"])).stdout).toBe(`${again.device}\n`);
  expect((await root.run(["cat", "/data/app.db"])).stdout).toBe("rows\n");
  expect((await root.run(["cat", "/run/systemctl"])).stdout).toBe("stop lifeboat.target\n");
  expect(await root.run([mount])).toMatchObject({ code: 0, stderr: "" });
  await root.run(["umount", "/data"]);
});

machineTest("one that was detached only is waited for", async () => {
  await stubCommand(root, "systemctl", "true");
  await root.addDevice(volume.device, [name]);
  await root.run([mount]);
  await root.run(["sh", "-c", "echo rows >/data/app.db && sync -f /data"]);
  using again = volume.plugInAgain();
  await root.run(["sh", "-c", `rm /dev/disk/by-id/${name} ${volume.device}`]);
  const mounting = root.run([mount]);
  await sleep(500);
  await root.addDevice(again.device, [name]);
  expect(await mounting).toMatchObject({ code: 0 });
  expect((await root.run(["findmnt", "-no", "SOURCE", "/data"])).stdout).toBe(`${again.device}\n`);
  expect((await root.run(["cat", "/data/app.db"])).stdout).toBe("rows\n");
  await root.run(["umount", "/data"]);
});

machineTest("a filesystem that takes no more writes is mounted anew; one that is full is sound", async () => {
  await stubCommand(root, "systemctl", "true");
  await root.addDevice(volume.device, [name]);
  await root.run([mount]);
  await root.run(["sh", "-c", "head -c 1G /dev/zero >/data/app.db"]);
  expect(await root.run([mount])).toMatchObject({ code: 0, stderr: "" });
  await root.run(["sh", "-c", "rm /data/app.db && mount -o remount,ro /data"]);
  expect(await root.run([mount])).toMatchObject({ code: 0, stderr: expect.stringContaining("takes no writes") });
  expect(await root.run(["touch", "/data/app.db"])).toMatchObject({ code: 0 });
});

machineTest(
  "another volume beside one that is mounted and answers: refused, with the commands that take it up",
  async () => {
    await stubCommand(root, "systemctl", 'echo "$@" >>/run/systemctl');
    await root.addDevice(volume.device, [name]);
    await root.run([mount]);
    using other = new VolumeFile();
    await root.run(["rm", `/dev/disk/by-id/${name}`]);
    await root.addDevice(other.device, ["scsi-0HC_Volume_4712"]);
    const { code, stderr } = await root.run([mount]);
    expect([code, stderr]).toEqual([refused, expect.stringContaining("umount /data")]);
    expect((await root.run(["findmnt", "-no", "SOURCE", "/data"])).stdout).toBe(`${volume.device}\n`);
    const [, leave = "", restart = ""] = /: (systemctl .*), then on the machine: (systemctl .*)\n/.exec(stderr) ?? [];
    expect(await root.run(["sh", "-c", `${leave} && ${restart}`])).toMatchObject({ code: 0, stderr: "" });
    // What the bootstrap does then.
    expect(await root.run([mount])).toMatchObject({ code: 0, stderr: "" });
    expect((await root.run(["findmnt", "-no", "SOURCE", "/data"])).stdout).toBe(`${other.device}\n`);
    const asked = (await root.run(["cat", "/run/systemctl"])).stdout;
    expect(asked).toBe("stop lifeboat.target\nrestart lifeboat-bootstrap\n");
    await root.run(["umount", "/data"]);
  },
);

machineTest("on btrfs, new files are not copied on write", async ({ skip }) => {
  skip(spawnSync("which", ["mkfs.btrfs"]).status !== 0, "btrfs-progs is not installed");
  await root.addDevice(volume.device, [name]);
  await root.run(["sed", "-i", "s/'ext4'/'btrfs'/", "/etc/lifeboat/environment"]);
  expect(await root.run([mount])).toMatchObject({ code: 0 });
  await root.run(["sed", "-i", "s/'btrfs'/'ext4'/", "/etc/lifeboat/environment"]);
  expect((await root.run(["findmnt", "-no", "FSTYPE", "/data"])).stdout).toBe("btrfs\n");
  await root.run(["touch", "/data/app.db"]);
  expect((await root.run(["lsattr", "/data/app.db"])).stdout).toMatch(/^-*C-* /);
});

machineTest("a blank btrfs volume waits for a mirror, and a kept one for nothing but the kernel", async ({ skip }) => {
  skip(spawnSync("which", ["mkfs.btrfs"]).status !== 0, "btrfs-progs is not installed");
  await root.addDevice(volume.device, [name]);
  await root.run(["sed", "-i", "s/'ext4'/'btrfs'/", "/etc/lifeboat/environment"]);
  // As on a bare image; apt-get is a stub, for no mirror is needed to see who asks one, and when.
  await root.run([
    "sh",
    "-c",
    "cd /sbin; for tool in mkfs.btrfs btrfs; do mv $tool /run/$tool || mv /bin/$tool /run/$tool; done",
  ]);
  await stubCommand(root, "dpkg", "true");
  await stubCommand(root, "apt-get", "echo Temporary failure resolving deb.debian.org >&2; exit 100");
  const { code, stderr } = await root.run([mount]);
  expect([code, stderr]).toEqual([
    1,
    expect.stringMatching(/resolving[^]*no mirror of Debian gives btrfs-progs; trying again/),
  ]);
  await stubCommand(root, "apt-get", "case $* in *install*btrfs-progs*) cp /run/mkfs.btrfs /usr/local/sbin/ ;; esac");
  expect(await root.run([mount])).toMatchObject({ code: 0 });

  await root.run(["sh", "-c", "umount /data; rm /usr/local/sbin/mkfs.btrfs"]);
  await stubCommand(root, "apt-get", "touch /run/asked; exit 100");
  expect(await root.run([mount])).toMatchObject({ code: 0, stderr: "" });
  expect((await root.run(["findmnt", "-no", "FSTYPE", "/data"])).stdout).toBe("btrfs\n");
  expect(await root.run(["test", "-e", "/run/asked"])).toMatchObject({ code: 1 });
  await root.run(["sh", "-c", "mv /run/mkfs.btrfs /run/btrfs /sbin; rm /usr/local/sbin/*"]);
  await root.run(["sed", "-i", "s/'btrfs'/'ext4'/", "/etc/lifeboat/environment"]);
});

machineTest.each([
  ["bytes without a filesystem", (device: string) => writeBytes(device)],
  ["somebody's filesystem", (device: string) => execFileSync("mkfs.ext4", ["-q", "-L", "photos", device])],
  ["a filesystem without a name", (device: string) => execFileSync("mkfs.ext4", ["-q", device])],
  ["a swap area", (device: string) => execFileSync("mkswap", ["-L", "lifeboat-", device], { stdio: "ignore" })],
])("%s: refused, and nothing is changed", async (_, spoil) => {
  spoil(volume.device);
  await root.addDevice(volume.device, [name]);
  const before = hash(volume.device);
  expect(await root.run([mount])).toMatchObject({
    code: refused,
    stderr: expect.stringMatching(/refused: .*; next: .*systemctl restart lifeboat-bootstrap\n/),
  });
  expect(hash(volume.device)).toBe(before);
  expect((await root.run(["mountpoint", "-q", "/data"])).code).not.toBe(0);
});

machineTest("two volumes, or a partition: refused, for nobody knows which one is meant", async () => {
  await root.addDevice(volume.device, [name, `${name}-part1`]);
  expect(await root.run([mount])).toMatchObject({
    code: refused,
    stderr: expect.stringContaining("leave one volume attached"),
  });
});

machineTest("a format that was cut off is begun again", async () => {
  writeBytes(volume.device);
  await root.addDevice(volume.device, [name]);
  await root.run(["mkdir", "-p", `/var/lib/lifeboat/formatting-${name}`]);
  expect(await root.run([mount])).toMatchObject({ code: 0 });
  expect((await root.run(["ls", "/var/lib/lifeboat"])).stdout).toBe("");
});

machineTest("a volume that is attached late is waited for", async () => {
  const mounting = root.run([mount]);
  await sleep(500);
  await root.addDevice(volume.device, [name]);
  expect(await mounting).toMatchObject({ code: 0 });
});

function writeBytes(device: string): void {
  execFileSync("dd", [`of=${device}`, "bs=4096", "seek=7", "conv=notrunc"], {
    input: "a database of somebody's own",
    stdio: ["pipe", "ignore", "ignore"],
  });
}

/** Of the beginning, where every kind of mkfs writes. */
function hash(device: string): string {
  return createHash("sha256")
    .update(execFileSync("head", ["-c", "4M", device], { maxBuffer: 2 ** 23 }))
    .digest("hex");
}
