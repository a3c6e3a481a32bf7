import { spawn } from "node:child_process";
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import { writeExecutable } from "../build/fake-binary.ts";

const ourNode = `node-${process.platform}-${process.arch}`;

/**
 * An `npm` that installs nothing but our Node, records what it installed as the real one does, outlives Ctrl-C as the
 * real one does, and writes down when it started and ended and what lockfile it saw.
 */
const fakeNpm = `#!/bin/sh
[ "$1" = --version ] && { echo "\${FAKE_NPM_VERSION:-10.8.2}"; exit; }
echo "$$" > "$FAKE_LOG.npm-pid"
trap '' INT TERM
echo "start $*" >> "$FAKE_LOG"
echo "$*" > "$FAKE_LOG.words"
cp package-lock.json "$FAKE_LOG.lockfile"
mkdir -p "node_modules/.bin" "node_modules/${ourNode}/bin"
sleep "\${FAKE_NPM_SECONDS:-0}"
[ -z "$FAKE_NPM_FAILS" ] || { echo "npm error E418"; exit 1; }
cp "$FAKE_NODE" "node_modules/${ourNode}/bin/node"
for name in tool ${ourNode}; do mkdir -p "node_modules/$name"; echo {} > "node_modules/$name/package.json"; done
sed 's/"":{},"node_modules.helper":{[^}]*},//' package-lock.json > node_modules/.package-lock.json
echo end >> "$FAKE_LOG"
`;

const fakeSetUp = `
import { appendFileSync, writeFileSync } from "node:fs";
const log = process.env["FAKE_LOG"] ?? "";
appendFileSync(log, "binaries\\n");
if (process.env["FAKE_BINARIES_FAIL"]) {
  console.error("[setup] no litestream");
  process.exit(1);
}
writeFileSync(log + ".binary", "binary");
console.log(JSON.stringify({ complete: true, files: [log + ".binary"] }));
`;

export type Outcome = { code: number | null; stdout: string; stderr: string };

/** A copy of the project's set-up in a folder with a space, with an npm and a setup.ts that only note what they did. */
export class SetupTree implements Disposable {
  readonly path: string;
  readonly #log: string;
  readonly #env: NodeJS.ProcessEnv;

  constructor() {
    const top = mkdtempSync(join(tmpdir(), "lifeboat-setup-"));
    this.path = join(top, "my project");
    this.#log = join(top, "log");
    const scripts = join(import.meta.dirname, "../../../scripts");
    mkdirSync(join(this.path, "scripts", "build"), { recursive: true });
    cpSync(join(scripts, "setup"), join(this.path, "scripts", "setup"), { recursive: true });
    copyFileSync(join(scripts, "setup.mjs"), join(this.path, "scripts", "setup.mjs"));
    copyFileSync(join(scripts, "build", "manifest.ts"), join(this.path, "scripts", "build", "manifest.ts"));
    writeFileSync(join(this.path, "scripts", "setup.ts"), fakeSetUp);
    writeFileSync(join(this.path, "package.json"), '{ "type": "module" }');
    this.writeLockfile("1.0.0");
    const bin = dirname(writeExecutable(join(top, "bin", "npm"), fakeNpm));
    // A script, not a link: the copy that npm makes of it must be cheap and must find the real Node.
    const node = writeExecutable(join(top, "node"), `#!/bin/sh\nexec '${process.execPath}' "$@"\n`);
    this.#env = { PATH: `${bin}:/usr/bin:/bin`, HOME: top, TMPDIR: top, FAKE_LOG: this.#log, FAKE_NODE: node };
  }

  [Symbol.dispose](): void {
    rmSync(dirname(this.path), { recursive: true, force: true });
  }

  /** A PATH on which everything is that set-up and npm need, and no `flock`. */
  get pathWithoutFlock(): string {
    const tools = join(dirname(this.path), "tools");
    mkdirSync(tools, { recursive: true });
    for (const name of ["cp", "mkdir", "sed", "sleep"])
      if (!existsSync(join(tools, name))) symlinkSync(join("/usr/bin", name), join(tools, name));
    return `${join(dirname(this.path), "bin")}:${tools}`;
  }

  /** Runs set-up to its end. */
  async run(env: NodeJS.ProcessEnv = {}): Promise<Outcome> {
    const child = this.start(env);
    const outcome: Outcome = { code: null, stdout: "", stderr: "" };
    child.stdout.on("data", (data: Buffer) => (outcome.stdout += data.toString()));
    child.stderr.on("data", (data: Buffer) => (outcome.stderr += data.toString()));
    outcome.code = await new Promise((resolve) => child.once("close", resolve));
    return outcome;
  }

  /** Starts set-up in a process group of its own. */
  start(env: NodeJS.ProcessEnv = {}) {
    const script = join(this.path, "scripts", "setup.mjs");
    return spawn(process.execPath, [script], {
      env: { ...this.#env, ...env },
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
    });
  }

  /** What npm and setup.ts did since the last call. */
  takeLog(): string[] {
    const lines = this.readLog();
    rmSync(this.#log, { force: true });
    return lines;
  }

  /** The same, and forgets nothing: whoever still writes would write into a deleted file. */
  readLog(): string[] {
    const lines = existsSync(this.#log) ? readFileSync(this.#log, "utf8").split("\n").slice(0, -1) : [];
    return lines.map((line) => line.split(" ", 2).join(" "));
  }

  writeLockfile(version: string): void {
    const tool = { version, integrity: "sha512-x", engines: { node: ">=99" } };
    const node = { version: "24.21.0", optional: true, os: [process.platform], cpu: [process.arch] };
    // What only a package for another platform wants: npm installs neither.
    const helper = { version: "1.0.0", optional: true };
    const packages = {
      "": {},
      "node_modules/helper": helper,
      "node_modules/tool": tool,
      [`node_modules/${ourNode}`]: node,
    };
    writeFileSync(join(this.path, "package-lock.json"), JSON.stringify({ lockfileVersion: 3, packages }));
  }

  /** Leaves node_modules as an `npm ci` run by hand would, without our stamp. */
  installByHand(): void {
    for (const name of ["tool", ourNode]) {
      mkdirSync(join(this.path, "node_modules", name), { recursive: true });
      writeFileSync(join(this.path, "node_modules", name, "package.json"), "{}");
    }
    writeExecutable(
      join(this.path, "node_modules", ourNode, "bin", "node"),
      readFileSync(this.#env["FAKE_NODE"] ?? "", "utf8"),
    );
    mkdirSync(join(this.path, "node_modules", ".bin"));
    const hidden = JSON.parse(readFileSync(join(this.path, "package-lock.json"), "utf8"));
    delete hidden.packages[""];
    delete hidden.packages["node_modules/helper"];
    writeFileSync(join(this.path, "node_modules", ".package-lock.json"), JSON.stringify(hidden));
  }

  /** The folders that npm works in. */
  listStages(): string[] {
    return readdirSync(this.path).filter((name) => name.startsWith(".setup"));
  }

  /** Whether the npm that was started last still runs. */
  isNpmRunning(): boolean {
    const pid = readFileSync(`${this.#log}.npm-pid`, "utf8").trim();
    return existsSync(`/proc/${pid}/cmdline`) && readFileSync(`/proc/${pid}/cmdline`, "utf8") !== "";
  }

  get npmWords(): string {
    return readFileSync(`${this.#log}.words`, "utf8");
  }

  get lockfileSeenByNpm(): string {
    return readFileSync(`${this.#log}.lockfile`, "utf8");
  }

  get binaryPath(): string {
    return `${this.#log}.binary`;
  }
}
