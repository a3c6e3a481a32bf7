import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";

import { runCommand } from "../../scripts/build/run-command.ts";
import { cacheRoot } from "../../scripts/setup/cache-root.mjs";

const tool = "mmdebstrap";
// What is in Hetzner's images and in no minimal Debian, of that which user-data, units and verbs call.
const packages = "systemd-sysv,curl,ca-certificates,iproute2,procps,e2fsprogs,openssh-client";
const withoutDocs = "--dpkgopt=path-exclude=/usr/share/doc/*";
const bootPackages =
  "linux-image-cloud-amd64,base-files,dash,coreutils,util-linux,mount,e2fsprogs,systemd,kmod,liblzma5";
const diskModules = ["scsi_common", "scsi_mod", "virtio_scsi", "sd_mod"];
const ownNamespaces = ["--mount", "--propagation=private", "--pid", "--fork", "--kill-child"];
const makeLimitMs = 240_000;
const about = "/etc/os-release";
const here =
  /^VERSION_CODENAME=(.*)$/m.exec(existsSync(about) ? readFileSync(about, "utf8") : "")?.[1] ?? "this system";

/** The releases that `image` lets be chosen; what is here already where no other one can be made. */
export const debians = spawnSync("which", [tool]).status === 0 ? ["trixie", "bookworm"] : [here];
if (debians.length === 1) console.warn(`only ${here} is tried: another Debian needs ${tool}`);

/** The folder with the files of a bare Debian: this computer's own if it is that release, else made from a mirror once, and kept in the cache. */
export async function makeDebian(release: string): Promise<string> {
  if (release === here) return "/";
  return keep(release, ["--variant=minbase", `--include=${packages}`, withoutDocs, release]);
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
  return keep("trixie-bootable", ["--variant=extract", `--include=${bootPackages}`, ...words, "trixie"]);
}

async function keep(name: string, words: readonly string[]): Promise<string> {
  const kept = join(cacheRoot(process.env), "debian", name);
  if (existsSync(kept)) return kept;
  mkdirSync(dirname(kept), { recursive: true });
  const made = mkdtempSync(`${kept}-`);
  try {
    const files = join(made, "files");
    // What it mounts ends with it, also when it is killed: what is taken away below are files, and nobody's /proc or /dev.
    const command = [...ownNamespaces, tool, "--quiet", "--mode=root", ...words, files];
    await runCommand("unshare", command, { timeoutMs: makeLimitMs });
    renameSync(files, kept);
  } finally {
    rmSync(made, { recursive: true, force: true });
  }
  return kept;
}
