import { spawnSync } from "node:child_process";
import { copyFileSync, globSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { runCommand } from "../build/run-command.ts";
import { makeDebian, placeOf, type Recipe } from "./make-debian.ts";

/** The Debians that a server can have. */
export const suites = ["trixie", "bookworm"] as const;
export type Suite = (typeof suites)[number];

/** What a server's first boot needs: its kernel, and a disk to copy. */
export type ServerImage = Readonly<{ kernel: string; initrd: string; disk: string }>;

// What Hetzner's images have beyond a minimal Debian, as far as cloud-init, our user-data, units and verbs ask for it.
const packages = [
  ["linux-image-cloud-amd64", "systemd-sysv", "udev", "dbus", "systemd-resolved", "systemd-timesyncd", "netplan.io"],
  ["cloud-init", "locales", "openssh-server", "sudo", "curl", "ca-certificates", "iproute2", "procps", "e2fsprogs"],
  // Hetzner's images have no btrfs-progs. Without a mirror inside, a machine of a drill could not get them.
  ["btrfs-progs"],
].flat();
// Debian 12's cloud-init brings a DHCP client of its own.
const morePackages: Record<Suite, readonly string[]> = { trixie: ["dhcpcd-base"], bookworm: [] };
const withoutDocs = ["man", "doc", "locale", "info"].map((name) => `--dpkgopt=path-exclude=/usr/share/${name}/*`);
const rootLabel = "root";
const fstab = `LABEL=${rootLabel} / ext4 defaults,discard,errors=remount-ro 0 1\n`;

// As in Hetzner's images: no search for other providers, and root is the one who comes in.
const settings = "datasource_list: [Hetzner, None]\ndisable_root: false\nusers: []\n";

const mebibyte = 1024 ** 2;
const diskBytes = 4096 * mebibyte;
const partitionBytes = diskBytes - 2 * mebibyte;
const partitions = `label: gpt\nstart=1MiB, size=${partitionBytes / mebibyte}MiB, type=linux\n`;
const stepLimitMs = 120_000;

/** Whether the image is in the cache, so that neither root nor a mirror is needed. */
export function hasServerImage(suite: Suite): boolean {
  return spawnSync("test", ["-d", placeOf(recipeOf(suite))]).status === 0;
}

/**
 * The image of a server: a bare Debian with cloud-init, as Hetzner's are. Made once, and kept in the cache by its
 * content.
 */
export async function makeServerImage(suite: Suite): Promise<ServerImage> {
  const folder = await makeDebian(recipeOf(suite));
  return { kernel: join(folder, "kernel"), initrd: join(folder, "initrd"), disk: join(folder, "disk") };
}

function recipeOf(suite: Suite): Recipe {
  const included = [...packages, ...morePackages[suite]].join(",");
  return {
    name: `server-${suite}`,
    suite,
    words: ["--variant=minbase", `--include=${included}`, ...withoutDocs],
    finish: { recipe: JSON.stringify([partitions, fstab, settings, diskBytes]), run: writeImage },
  };
}

async function writeImage(files: string, whole: string): Promise<void> {
  const disk = join(whole, "disk");
  for (const [kind, name] of [
    ["vmlinuz-*", "kernel"],
    ["initrd.img-*", "initrd"],
  ] as const) {
    const [found] = globSync(join(files, "boot", kind));
    if (found === undefined) throw new Error(`the Debian in ${files} has no boot/${kind}`);
    copyFileSync(found, join(whole, name));
  }
  writeFileSync(join(files, "etc/fstab"), fstab);
  writeFileSync(join(files, "etc/cloud/cloud.cfg.d/90-hetzner.cfg"), settings);
  // Each machine has its own.
  writeFileSync(join(files, "etc/machine-id"), "");
  for (const key of globSync(join(files, "etc/ssh/ssh_host_*"))) rmSync(key);
  writeFileSync(disk, "");
  truncateSync(disk, diskBytes);
  const table = join(whole, "partitions");
  writeFileSync(table, partitions);
  await runCommand("sh", ["-euc", 'sfdisk --quiet "$0" <"$1"', disk, table], { timeoutMs: stepLimitMs });
  rmSync(table);
  const place = ["-E", `offset=${mebibyte},lazy_itable_init=0`, "-L", rootLabel, "-d", files];
  const words = ["-q", "-F", "-t", "ext4", ...place, disk, `${partitionBytes / 1024}k`];
  await runCommand("mke2fs", words, { timeoutMs: stepLimitMs });
}
