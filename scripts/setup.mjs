// Runs before anything is installed, on whatever Node the system has (12.20 or newer): plain JavaScript, no newer
// syntax.
import { spawn } from "node:child_process";
import crypto from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

import { cacheRoot } from "./setup/cache-root.mjs";
import { fileIdentity } from "./setup/file-identity.mjs";
import { lock } from "./setup/lock.mjs";
import { complainOfNpmFlags } from "./setup/npm-flags.mjs";
import { ensurePackages, packagesKey } from "./setup/packages.mjs";

const script = fileURLToPath(import.meta.url);
const root = path.dirname(path.dirname(script));
const ourNode = path.join(root, "node_modules", ".bin", "node");
/** Inside node_modules, so that it is deleted with them. */
const stampPath = path.join(root, "node_modules", ".lifeboat-setup.json");
// package.json "engines": type stripping is stable from here on, and better-sqlite3 13 crashes on Node 20.
const oldestNode = [24, 12];
const usageExitCode = 64; // EX_USAGE of sysexits.h
const alreadyReported = new Error("the child process has printed its reason on stderr");

main().catch((/** @type {unknown} */ error) => {
  if (error !== alreadyReported)
    process.stderr.write(`[setup] ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});

async function main() {
  const complaint = complainOfNpmFlags(process.env);
  if (complaint !== undefined) {
    process.stderr.write(`[setup] ${complaint}\n`);
    process.exitCode = usageExitCode;
    return;
  }
  if (isReady()) return;
  for (const [name, code] of Object.entries({ SIGINT: 130, SIGTERM: 143, SIGHUP: 129 }))
    process.once(name, () => setImmediate(() => process.exit(code)));
  await lock(script, () => process.stderr.write("[setup] waiting for another set-up of this folder …\n"));
  if (isReady()) return;
  await ensurePackages(root, readStamp().packages === packagesKey(root));
  writeStamp({ packages: packagesKey(root), binaries: "", files: [] });
  await requireNode();
  await ensureBinaries();
}

/** Reads only a few small files, because every `npm test` and `npm run drill` waits for it. */
function isReady() {
  const stamp = readStamp();
  return (
    stamp.packages === packagesKey(root) &&
    stamp.binaries === binariesKey() &&
    (fs.existsSync(ourNode) || isNewEnough(process.version)) &&
    stamp.files.every((file) => fileIdentity(file.path) === file.identity)
  );
}

async function requireNode() {
  const version = fs.existsSync(ourNode) ? (await readOutput(ourNode, ["--version"])).trim() : process.version;
  if (isNewEnough(version)) return;
  throw new Error(
    `Node.js ${oldestNode.join(".")} or newer is needed and ${version} was found; install Node.js 24 from https://nodejs.org (Linux x64 and arm64 get it from npm)`,
  );
}

async function ensureBinaries() {
  const node = fs.existsSync(ourNode) ? ourNode : process.execPath;
  const answer = await readOutput(node, [path.join(root, "scripts", "setup.ts")]);
  /** @type {{ complete: boolean, files: string[] }} */
  const found = JSON.parse(answer);
  const files = found.files.map((file) => ({ path: file, identity: fileIdentity(file) || "gone" }));
  writeStamp({ packages: packagesKey(root), binaries: found.complete ? binariesKey() : "", files });
}

function binariesKey() {
  const manifest = fs.readFileSync(path.join(root, "scripts", "build", "manifest.ts"));
  return crypto
    .createHash("sha256")
    .update(`${cacheRoot(process.env)}\n`)
    .update(manifest)
    .digest("hex");
}

/**
 * The note of the last set-up. `files` are the binaries, compared by size, times and inode: hashing them would take half a
 * second of every start (binary-cache.ts says what that misses).
 * @typedef {{ packages: string, binaries: string, files: { path: string, identity: string }[] }} Stamp
 * @returns {Stamp}
 */
function readStamp() {
  try {
    const stamp = JSON.parse(fs.readFileSync(stampPath, "utf8"));
    if (Array.isArray(stamp.files)) return stamp;
  } catch (error) {
    if (!(error instanceof SyntaxError || (error instanceof Error && "code" in error))) throw error;
  }
  return { packages: "", binaries: "", files: [] };
}

/** @param {Stamp} stamp */
function writeStamp(stamp) {
  fs.writeFileSync(`${stampPath}.${process.pid}`, JSON.stringify(stamp));
  fs.renameSync(`${stampPath}.${process.pid}`, stampPath);
}

/** @param {string} version such as "v24.21.0" */
function isNewEnough(version) {
  const [major, minor] = version.replace(/^v/, "").split(".").map(Number);
  const [oldestMajor, oldestMinor] = oldestNode;
  return Number(major) > Number(oldestMajor) || (major === oldestMajor && Number(minor) >= Number(oldestMinor));
}

/**
 * stdout of a command whose stderr is shown; throws when it fails (exit code 1: it has printed why).
 * @param {string} command
 * @param {string[]} args
 * @returns {Promise<string>}
 */
function readOutput(command, args) {
  return new Promise((resolve, reject) => {
    // Node's fetch uses HTTPS_PROXY only with this setting. pip and npm always do.
    const env = { ...process.env, NODE_USE_ENV_PROXY: "1" };
    const child = spawn(command, args, { cwd: root, env, stdio: ["ignore", "pipe", "inherit"] });
    process.once("exit", () => child.kill("SIGTERM"));
    let output = "";
    child.stdout.on("data", (data) => (output += String(data)));
    child.once("error", (error) => reject(new Error(`${command} could not be started: ${error.message}`)));
    child.once("close", (code, signal) => {
      if (code === 0) resolve(output);
      else if (code === 1) reject(alreadyReported);
      else reject(new Error(`"${[command, ...args].join(" ")}" ended with ${signal || `exit code ${code}`}`));
    });
  });
}
