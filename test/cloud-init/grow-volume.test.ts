import { execFileSync, spawnSync } from "node:child_process";
import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { afterAll, afterEach, beforeAll, beforeEach, expect } from "vitest";

import { mayGrowExt4 } from "./capability.ts";
import { MachineRoot, machineTest } from "./machine-root.ts";
import { stubCommand } from "./stub-command.ts";
import { VolumeFile } from "./volume-file.ts";

// A real device that grows under a real filesystem; what the activation makes of it: test/machine/bring-up.test.ts.
const source = join(import.meta.dirname, "../../cloud-init/release/bin/grow-volume");
const mebibyte = 1024 ** 2;

let root: MachineRoot;
let volume: VolumeFile;
beforeAll(async () => {
  root = await MachineRoot.open(["sleep", "infinity"]);
  await root.run(["mkdir", "/data"]);
  copyFileSync(source, root.path("/usr/local/bin/grow-volume"));
}, 60_000);
afterAll(() => root[Symbol.asyncDispose]());
beforeEach(async () => {
  volume = new VolumeFile();
  await root.addDevice(volume.device, []);
});
afterEach(async () => {
  await root.run(["sh", "-c", "umount /data; rm -f /dev/loop* /usr/local/sbin/sleep"]);
  volume[Symbol.dispose]();
});

const grow = (volumeGb = 0) =>
  root.run(["sh", "-c", `exec 9>>/data/app.db; LIFEBOAT_VOLUME_GB=${volumeGb} grow-volume`]);
const readBytes = async () => Number((await root.run(["sh", "-c", "stat -f -c '%b * %S' /data | xargs expr"])).stdout);

async function mount(kind: string, ...words: string[]): Promise<number> {
  // Systemd takes no btrfs below 256 MiB.
  volume.grow(300 * mebibyte);
  execFileSync(`mkfs.${kind}`, ["-q", ...words, volume.device]);
  await root.run(["mount", volume.device, "/data"]);
  return readBytes();
}

machineTest.for(["ext4", "btrfs"])(
  "%s grows with its device while it is used, once, and keeps what it holds",
  async (kind, { skip }) => {
    skip(spawnSync("which", [`mkfs.${kind}`]).status !== 0, `mkfs.${kind} is not installed`);
    skip(
      kind === "ext4" && !mayGrowExt4,
      "no CAP_SYS_RESOURCE, so in a virtual machine: test/machine/grow-ext4.test.ts",
    );
    const before = await mount(kind);
    await root.run(["sh", "-c", "echo rows >/data/app.db"]);
    expect(await grow()).toEqual({ code: 0, stdout: "", stderr: "" });
    expect(await readBytes()).toBe(before);

    volume.grow(640 * mebibyte);
    // A kept volume needs no tools of its filesystem's own: btrfs has none on a bare image.
    for (const tool of ["resize2fs", "btrfs"]) await stubCommand(root, tool, "exit 127");
    expect(await grow()).toMatchObject({ code: 0, stderr: expect.stringContaining("has grown from") });
    expect(await readBytes()).toBeGreaterThan(600 * mebibyte);
    expect((await root.run(["cat", "/data/app.db"])).stdout).toBe("rows\n");
    expect(await grow()).toEqual({ code: 0, stdout: "", stderr: "" });
  },
);

machineTest("a size that the machine has not heard of yet is waited for, and missed by name", async ({ skip }) => {
  skip(spawnSync("which", ["mkfs.btrfs"]).status !== 0, "mkfs.btrfs is not installed");
  await mount("btrfs");
  const growing = grow(1);
  await sleep(500);
  volume.grow(1024 * mebibyte);
  expect(await growing).toMatchObject({ code: 0, stderr: expect.stringContaining("has grown from") });
  await stubCommand(root, "sleep", "true");
  const { code, stderr } = await grow(2);
  expect([code, stderr]).toEqual([
    1,
    expect.stringMatching(/has not heard of 2 GB.*try again: \/opt\S+\/grow-volume\n/),
  ]);
});

machineTest("a filesystem that cannot grow is told by name, and serves on", async () => {
  // The kernel grows no ext4 with this feature; without CAP_SYS_RESOURCE it grows none at all.
  const before = await mount("ext4", "-O", "sparse_super2");
  volume.grow(640 * mebibyte);
  const cause = mayGrowExt4 ? "not supported" : "not permitted";
  const words = `^lifeboat: /data stays at ${before} bytes, ${volume.device} has 671088640: Failed to resize .* ${cause}`;
  expect(await grow()).toMatchObject({ code: 1, stderr: expect.stringMatching(words) });
  expect(await root.run(["touch", "/data/app.db"])).toMatchObject({ code: 0 });
});

machineTest("a machine without its volume has nothing to grow", async () => {
  expect(await grow(10)).toEqual({ code: 0, stdout: "", stderr: "" });
});
