import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";

import { runCommand } from "../../scripts/binaries/run-command.ts";
import { cacheRoot } from "../../scripts/setup/cache-root.mjs";

const tool = "mmdebstrap";
// What is in Hetzner's images and in no minimal Debian, of that which user-data, units and verbs call.
const packages = "systemd-sysv,curl,ca-certificates,iproute2,procps,e2fsprogs,openssh-client";
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
  const kept = join(cacheRoot(process.env), "debian", release);
  if (existsSync(kept)) return kept;
  mkdirSync(dirname(kept), { recursive: true });
  const made = mkdtempSync(`${kept}-`);
  try {
    const files = join(made, "files");
    const withoutDocs = "--dpkgopt=path-exclude=/usr/share/doc/*";
    const words = ["--quiet", "--mode=root", "--variant=minbase", `--include=${packages}`, withoutDocs, release, files];
    // What it mounts ends with it, also when it is killed: what is taken away below are files, and nobody's /proc or /dev.
    await runCommand("unshare", [...ownNamespaces, tool, ...words], { timeoutMs: makeLimitMs });
    renameSync(files, kept);
  } finally {
    rmSync(made, { recursive: true, force: true });
  }
  return kept;
}
