import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";

import { makeDebian as makeFolder } from "../../scripts/virtual/make-debian.ts";

const tool = "mmdebstrap";
// What is in Hetzner's images and in no minimal Debian, of that which user-data, units and verbs call.
const packages = "systemd-sysv,curl,ca-certificates,iproute2,procps,e2fsprogs,openssh-client";
// What is in Hetzner's images, and what the machine gets later.
const morePackages = "openssh-server,systemd-resolved,systemd-timesyncd,unattended-upgrades";
const withoutDocs = "--dpkgopt=path-exclude=/usr/share/doc/*";
const bootPackages =
  "linux-image-cloud-amd64,base-files,dash,coreutils,util-linux,mount,e2fsprogs,systemd,kmod,liblzma5";
const diskModules = ["scsi_common", "scsi_mod", "virtio_scsi", "sd_mod"];
const about = "/etc/os-release";
const here =
  /^VERSION_CODENAME=(.*)$/m.exec(existsSync(about) ? readFileSync(about, "utf8") : "")?.[1] ?? "this system";

/** The releases that `image` lets be chosen; what is here already where no other one can be made. */
export const debians = spawnSync("which", [tool]).status === 0 ? ["trixie", "bookworm"] : [here];
if (debians.length === 1) console.warn(`only ${here} is tried: another Debian needs ${tool}`);

/** The folder with the files of a bare Debian: this computer's own if it is that release, else made from a mirror once, and kept in the cache. */
export async function makeDebian(release: string): Promise<string> {
  if (release === here) return "/";
  const words = ["--variant=minbase", `--include=${packages}`, withoutDocs];
  return makeFolder({ name: release, suite: release, words });
}

/** What Docker's debian:trixie-slim is made of. */
export async function makeSlimDebian(): Promise<string> {
  return makeFolder({ name: "trixie-slim", suite: "trixie", words: ["--variant=minbase", withoutDocs] });
}

/** The same with the services that a server has, and which a release hardens. */
export async function makeServerDebian(): Promise<string> {
  const words = ["--variant=minbase", `--include=${packages},${morePackages}`, withoutDocs];
  return makeFolder({ name: "trixie-services", suite: "trixie", words });
}

/**
 * The folder with what a virtual machine boots from: a kernel, a disk's modules and the tools for a filesystem. Unpacked and not installed,
 * which takes seconds: no service could run in it.
 */
export async function makeBootable(): Promise<string> {
  const modules = "/usr/lib/modules/*/kernel";
  const words = [`--dpkgopt=path-exclude=${modules}/*`];
  for (const name of diskModules) words.push(`--dpkgopt=path-include=${modules}/drivers/scsi/${name}.ko*`);
  for (const rest of ["/usr/share/*", "/usr/lib/udev/*"]) words.push(`--dpkgopt=path-exclude=${rest}`);
  const included = ["--variant=extract", `--include=${bootPackages}`, ...words];
  return makeFolder({ name: "trixie-bootable", suite: "trixie", words: included });
}
