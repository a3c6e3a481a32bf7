import crypto from "node:crypto";
import fs from "node:fs";
import path from "node:path";

import { packagesMatchLockfile } from "./lockfile.mjs";
import { requireNpm, runNpmCi } from "./npm.mjs";
import { startProgress } from "./progress.mjs";
import { readStamp } from "./stamp.mjs";

/**
 * What an installation depends on: the lockfile and the platform.
 * @param {string} root
 */
export function packagesKey(root) {
  const lockfile = fs.readFileSync(path.join(root, "package-lock.json"));
  return crypto.createHash("sha256").update(`${process.platform}-${process.arch}\n`).update(lockfile).digest("hex");
}

/**
 * Installs what package-lock.json names, unless it is there already, and sees to it that `node` is in node_modules/.bin.
 * Throws one sentence when npm is missing, too old, too slow or fails; node_modules is then as it was.
 * @param {string} root
 */
export async function ensurePackages(root) {
  const stamp = readStamp(root);
  const matches = stamp !== undefined && stamp.packages === packagesKey(root);
  if (!matches && !packagesMatchLockfile(root)) await installPackages(root);
  linkOurNode(path.join(root, "node_modules"));
}

/** @param {string} root */
async function installPackages(root) {
  removeOldStages(root);
  // A folder that no earlier set-up has used: what was killed in the middle may still be writing into its own.
  const stage = fs.mkdtempSync(path.join(root, stagePrefix));
  const clear = () => removeFolder(stage);
  process.once("exit", clear);
  prepareStage(root, stage);
  const progress = startProgress("installing packages");
  try {
    await requireNpm(stage);
    await runNpmCi(stage);
    replaceNodeModules(root, stage);
    progress.done();
  } catch (error) {
    progress.failed();
    throw error;
  } finally {
    process.removeListener("exit", clear);
    removeFolder(stage);
  }
}

const stagePrefix = ".setup-";

/** @param {string} root */
function removeOldStages(root) {
  for (const name of fs.readdirSync(root)) {
    if (name.startsWith(stagePrefix)) removeFolder(path.join(root, name));
  }
}

/**
 * npm works in a folder of its own, so that an interrupted set-up leaves the old node_modules alone. Its lockfile has no
 * `engines`: npm on an old Node would leave out optional packages, such as the bundler's binary, without a word.
 * @param {string} root
 * @param {string} stage
 */
function prepareStage(root, stage) {
  fs.writeFileSync(path.join(stage, ".gitignore"), "*\n");
  for (const name of ["package.json", ".npmrc"]) {
    if (fs.existsSync(path.join(root, name))) fs.copyFileSync(path.join(root, name), path.join(stage, name));
  }
  const lockfile = JSON.parse(fs.readFileSync(path.join(root, "package-lock.json"), "utf8"));
  for (const name of Object.keys(lockfile.packages)) {
    if (name !== "") delete lockfile.packages[name].engines;
  }
  fs.writeFileSync(path.join(stage, "package-lock.json"), JSON.stringify(lockfile));
}

/**
 * @param {string} root
 * @param {string} stage
 */
function replaceNodeModules(root, stage) {
  const current = path.join(root, "node_modules");
  if (fs.existsSync(current)) fs.renameSync(current, path.join(stage, "replaced"));
  fs.renameSync(path.join(stage, "node_modules"), current);
}

/**
 * npm before version 11 makes this link and removes it again, with the package for the other processor.
 * @param {string} nodeModules
 */
function linkOurNode(nodeModules) {
  const ours = path.join(`node-${process.platform}-${process.arch}`, "bin", "node");
  const link = path.join(nodeModules, ".bin", "node");
  if (fs.existsSync(link) || !fs.existsSync(path.join(nodeModules, ours))) return;
  fs.symlinkSync(path.join("..", ours), link);
}

/**
 * fs.rm is newer than the oldest Node that this must run on, and the older rmdir is gone from the newest.
 * @param {string} folder
 */
function removeFolder(folder) {
  if (fs.rmSync) fs.rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  else if (fs.existsSync(folder)) fs.rmdirSync(folder, { recursive: true });
}
