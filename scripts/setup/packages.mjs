import { spawn } from "node:child_process";
import crypto from "node:crypto";
import fs from "node:fs";
import path from "node:path";

import { startProgress } from "./progress.mjs";

const stagePrefix = ".setup-";
const npmLimitMs = 15 * 60 * 1000;
// npm 7 brought lockfile version 3; 8 is the oldest that was tried.
const oldestNpm = 8;
const swapAttempts = 10;
/** @type {string | undefined} */
let foundLibc;

/**
 * Names everything that an installation depends on: the lockfile and the platform.
 * @param {string} root
 */
export function packagesKey(root) {
  const lockfile = fs.readFileSync(path.join(root, "package-lock.json"));
  return crypto.createHash("sha256").update(`${process.platform}-${process.arch}\n`).update(lockfile).digest("hex");
}

/**
 * Installs what package-lock.json names, unless the stamp or npm's own record says that it is there, and sees to it
 * that `node` is in node_modules/.bin. Throws one sentence when npm is missing, too old, too slow or fails;
 * node_modules is then as it was.
 * @param {string} root
 * @param {boolean} isStamped
 */
export async function ensurePackages(root, isStamped) {
  if (!isStamped && !matchesLockfile(root)) await installPackages(root);
  // npm before version 11 makes this link and removes it again, with the package for the other processor.
  const ours = path.join(`node-${process.platform}-${process.arch}`, "bin", "node");
  const link = path.join(root, "node_modules", ".bin", "node");
  if (!fs.existsSync(link) && fs.existsSync(path.join(root, "node_modules", ours)))
    succeeds(() => fs.symlinkSync(path.join("..", ours), link), ["EEXIST"]);
}

/**
 * Whether an earlier `npm ci` installed what package-lock.json names. npm's own record may list a package that was removed
 * since. A package may be missing only if it is for another platform, or optional and needed by nothing else.
 * @param {string} root
 */
function matchesLockfile(root) {
  /** @typedef {{ version?: string, integrity?: string, optional?: boolean, os?: string[], cpu?: string[], libc?: string[] }} Entry */
  const [wanted, installed] = ["package-lock.json", path.join("node_modules", ".package-lock.json")].map((name) => {
    const file = path.join(root, name);
    /** @type {{ packages: Record<string, Entry> }} */
    const lockfile = fs.existsSync(file) ? JSON.parse(fs.readFileSync(file, "utf8")) : { packages: {} };
    return lockfile.packages;
  });
  const libc = findLibc();
  /** @param {Entry} entry */
  const isForHere = (entry) =>
    [
      [entry.os, process.platform],
      [entry.cpu, process.arch],
      [entry.libc, libc],
    ].every(([list, own]) => !list || list.includes(String(own)));
  if (Object.keys(installed || {}).some((name) => !(wanted || {})[name])) return false;
  return Object.entries(wanted || {}).every(([name, entry]) => {
    const found = (installed || {})[name];
    if (name === "" || !isForHere(entry)) return !found;
    if (!found && entry.optional && !entry.os && !entry.cpu) return true;
    const isSame = found && found.version === entry.version && found.integrity === entry.integrity;
    return isSame && fs.existsSync(path.join(root, name, "package.json"));
  });
}

/** "glibc" or "musl"; asked once, since the report takes 20 ms, in which another set-up could swap node_modules. */
function findLibc() {
  if (!foundLibc) {
    const report = JSON.stringify(process.report ? process.report.getReport() : {});
    foundLibc = report.includes("glibcVersionRuntime") ? "glibc" : "musl";
  }
  return foundLibc;
}

/**
 * Runs npm in a folder of its own. So an interrupted set-up leaves the old node_modules alone, and an npm that was killed
 * and still writes does not write into it. The folder's name has our process id, for set-ups without a lock.
 * @param {string} root
 */
async function installPackages(root) {
  for (const name of fs.readdirSync(root)) if (isLeftOver(name)) removeFolder(path.join(root, name));
  const stage = fs.mkdtempSync(path.join(root, `${stagePrefix}${process.pid}-`));
  process.once("exit", () => removeFolder(stage));
  prepareStage(root, stage);
  const progress = startProgress("installing packages");
  try {
    await runNpmCi(stage);
    putIntoPlace(root, stage);
    progress.done();
  } catch (error) {
    progress.failed();
    throw error;
  } finally {
    removeFolder(stage);
  }
}

/**
 * Whether this is the folder of a set-up that has ended.
 * @param {string} name
 */
function isLeftOver(name) {
  if (!name.startsWith(stagePrefix)) return false;
  const owner = Number((/^(\d+)-/.exec(name.slice(stagePrefix.length)) || [])[1]);
  // We have made no folder yet, so one with our id is from an earlier process.
  if (!owner || owner === process.pid) return true;
  let isDead = false;
  // EPERM: it lives, and is somebody else's.
  succeeds(() => (isDead = !succeeds(() => process.kill(owner, 0), ["ESRCH"])), ["EPERM"]);
  return isDead;
}

/**
 * Renames the new packages into place. If another set-up was first and its packages are right, it leaves them there.
 * @param {string} root
 * @param {string} stage
 */
function putIntoPlace(root, stage) {
  const current = path.join(root, "node_modules");
  function swap() {
    if (matchesLockfile(root)) return;
    if (fs.existsSync(current)) fs.renameSync(current, fs.mkdtempSync(path.join(stage, "replaced-")));
    fs.renameSync(path.join(stage, "node_modules"), current);
  }
  const takenByAnother = ["ENOENT", "ENOTEMPTY", "EEXIST"];
  for (let attempt = 1; attempt < swapAttempts; attempt += 1) if (succeeds(swap, takenByAnother)) return;
  swap();
}

/**
 * Writes the lockfile without `engines`: npm on an old Node would silently skip optional packages with an engine, such as
 * the bundler's binary.
 * @param {string} root
 * @param {string} stage
 */
function prepareStage(root, stage) {
  fs.writeFileSync(path.join(stage, ".gitignore"), "*\n");
  for (const name of ["package.json", ".npmrc"])
    if (fs.existsSync(path.join(root, name))) fs.copyFileSync(path.join(root, name), path.join(stage, name));
  const lockfile = JSON.parse(fs.readFileSync(path.join(root, "package-lock.json"), "utf8"));
  for (const name of Object.keys(lockfile.packages)) if (name !== "") delete lockfile.packages[name].engines;
  fs.writeFileSync(path.join(stage, "package-lock.json"), JSON.stringify(lockfile));
}

/** @param {string} folder */
async function runNpmCi(folder) {
  const asked = await runNpm(["--version"], folder);
  if (asked.code !== 0) throw new Error(`npm ${asked.ending}; install Node.js with npm from https://nodejs.org`);
  const version = (/^\d+\.\d+\.\d+.*$/m.exec(asked.output) || ["0"])[0];
  if (Number(version.split(".")[0]) < oldestNpm)
    throw new Error(
      `npm ${version} is too old, ${oldestNpm} or newer is needed: run "npm install --global npm@${oldestNpm}"`,
    );
  const quiet = ["--no-audit", "--no-fund", "--loglevel=error", "--ignore-scripts"];
  // What somebody's npm configuration, or a flag that npm kept for itself, would leave out or only pretend to do.
  const complete = [
    "--include=dev",
    "--include=optional",
    "--dry-run=false",
    "--global=false",
    "--package-lock-only=false",
  ];
  // `npm run` hands its own folder down in the environment; --prefix is stronger.
  const npm = await runNpm(["ci", "--prefix", folder, ...quiet, ...complete], folder);
  if (npm.code !== 0) throw new Error(`"npm ci" ${npm.ending}; it said:\n${npm.output.trim()}`);
}

/**
 * @param {string[]} args
 * @param {string} folder
 * @returns {Promise<{ code: number | null, output: string, ending: string }>}
 */
function runNpm(args, folder) {
  return new Promise((resolve) => {
    // npm must run on the Node that it came with: Debian's npm finds its modules on no other.
    const entries = (process.env["PATH"] || "").split(path.delimiter);
    const PATH = entries.filter((entry) => !entry.includes(`node_modules${path.sep}.bin`)).join(path.delimiter);
    // npm gets its own process group, which we kill as a whole, because npm outlives Ctrl-C by seconds.
    const child = spawn("npm", args, {
      cwd: folder,
      env: { ...process.env, PATH },
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
    });
    const end = () => endGroup(child.pid);
    process.prependOnceListener("exit", end);
    let output = "";
    child.stdout.on("data", (data) => (output += String(data)));
    child.stderr.on("data", (data) => (output += String(data)));
    const limit = setTimeout(end, npmLimitMs);
    /** @param {number | null} code @param {string} ending */
    function finish(code, ending) {
      clearTimeout(limit);
      process.removeListener("exit", end);
      resolve({ code, output, ending });
    }
    child.once("error", (error) => finish(null, `could not be started (${error.message})`));
    child.once("close", (code, signal) =>
      finish(
        code,
        signal ? `was ended by ${signal} (it may take ${npmLimitMs / 1000} s)` : `failed with exit code ${code}`,
      ),
    );
  });
}

/** @param {number | undefined} pid */
function endGroup(pid) {
  if (pid !== undefined) succeeds(() => process.kill(-pid, "SIGKILL"), ["ESRCH"]);
}

/**
 * Whether an act succeeds. Returns false when it fails with one of these codes, and throws any other error.
 * @param {() => void} act
 * @param {string[]} codes
 */
function succeeds(act, codes) {
  try {
    act();
    return true;
  } catch (error) {
    if (!(error instanceof Error && "code" in error && codes.includes(String(error.code)))) throw error;
    return false;
  }
}

/**
 * fs.rm is newer than the oldest Node that this must run on, and the older rmdir is gone from the newest.
 * @param {string} folder
 */
function removeFolder(folder) {
  if (fs.rmSync) fs.rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  else if (fs.existsSync(folder)) fs.rmdirSync(folder, { recursive: true });
}
