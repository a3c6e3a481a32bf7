import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { RequestListener } from "node:http";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import type { BinaryPin } from "../../../scripts/build/manifest.ts";
import { listenOnLoopback } from "../../../scripts/local/listen-on-loopback.ts";

/** What the pinned binary holds; anything else must be refused. */
export const genuine = "#!/bin/sh\necho genuine\n";
export const forged = "#!/bin/sh\necho forged\n";

export type Sandbox = Disposable & { path: string; env: NodeJS.ProcessEnv };

/** A temporary folder with a space in its name, and an environment whose cache lies in it. */
export function makeSandbox(): Sandbox {
  const path = join(mkdtempSync(join(tmpdir(), "lifeboat-binaries-")), "a space");
  mkdirSync(path);
  const env = { PATH: join(path, "bin"), HOME: path, XDG_CACHE_HOME: join(path, "cache") };
  return { path, env, [Symbol.dispose]: () => rmSync(dirname(path), { recursive: true, force: true }) };
}

/** A pin of the binary `tool` that no source outside the sandbox knows. */
export function makePin(sources: { wheelSha256?: string; releaseUrl?: string } = {}): BinaryPin {
  const { wheelSha256 = sha256("no wheel"), releaseUrl } = sources;
  return {
    name: "tool",
    version: "1.0",
    wheelPackage: "lifeboat-test-tool",
    ...(releaseUrl === undefined ? {} : { releaseUrl }),
    platforms: { here: { binarySha256: sha256(genuine), wheelSha256, releaseArchive: "tool.tar.gz" } },
    otherwise: "do without it",
  };
}

export function sha256(content: string | Buffer): string {
  return createHash("sha256").update(content).digest("hex");
}

export function writeExecutable(path: string, content: string): string {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
  chmodSync(path, 0o755);
  return path;
}

/** A .tar.gz as the release page would serve it, with the file `tool` in it. */
export function makeArchive(folder: string, content: string): Buffer {
  writeExecutable(join(folder, "archive", "tool"), content);
  return execFileSync("tar", ["-czf", "-", "-C", join(folder, "archive"), "./tool"]);
}

const wheelProgram = `
import sys, zipfile
path, content = sys.argv[1], sys.argv[2]
info = "lifeboat_test_tool-1.0.dist-info/"
with zipfile.ZipFile(path, "w") as wheel:
    wheel.writestr("lifeboat_test_tool-1.0.data/scripts/tool", content)
    wheel.writestr(info + "METADATA", "Metadata-Version: 2.1\\nName: lifeboat-test-tool\\nVersion: 1.0\\n")
    wheel.writestr(info + "WHEEL", "Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
    wheel.writestr(info + "RECORD", "")
`;

/** A folder with one wheel that holds `tool`, and the environment that makes pip look there and nowhere else. */
export function makeWheelFolder(sandbox: Sandbox, content: string): { wheel: string; env: NodeJS.ProcessEnv } {
  const folder = join(sandbox.path, "wheels");
  mkdirSync(folder, { recursive: true });
  const wheel = join(folder, "lifeboat_test_tool-1.0-py3-none-any.whl");
  execFileSync("python3", ["-c", wheelProgram, wheel, content]);
  // pip splits PIP_FIND_LINKS at spaces, so the folder is given as a URL.
  const links = new URL(`file://${folder}/`).href;
  const pip = { PIP_NO_INDEX: "1", PIP_FIND_LINKS: links, PIP_CONFIG_FILE: "/dev/null" };
  return { wheel, env: { ...process.env, ...sandbox.env, ...pip, PATH: process.env["PATH"] } };
}

/** The release page on a loopback port. */
export async function serveRelease(listener: RequestListener): Promise<AsyncDisposable & { url: string }> {
  return listenOnLoopback(createServer(listener));
}
