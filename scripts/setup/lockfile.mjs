import fs from "node:fs";
import path from "node:path";

/**
 * @typedef {{ version?: string, integrity?: string, optional?: boolean, os?: string | string[], cpu?: string | string[], libc?: string | string[] }} LockEntry
 * @typedef {Record<string, LockEntry | undefined>} LockEntries
 */

/**
 * True if npm's own record of node_modules (`.package-lock.json`, written last) holds what package-lock.json asks for,
 * so that an `npm ci` run by hand is not repeated. An optional package may be missing if it is for another platform.
 * @param {string} root
 */
export function packagesMatchLockfile(root) {
  const wanted = readEntries(path.join(root, "package-lock.json"));
  const installed = readEntries(path.join(root, "node_modules", ".package-lock.json"));
  if (!wanted || !installed) return false;
  const missing = Object.keys(wanted).filter((name) => name !== "" && !installed[name]);
  if (missing.some((name) => isNeededHere(wanted[name]))) return false;
  // The record outlives what was removed or never written beside it.
  const isThere = (/** @type {string} */ name) => fs.existsSync(path.join(root, name, "package.json"));
  return Object.keys(installed).every((name) => isSamePackage(wanted[name], installed[name]) && isThere(name));
}

/**
 * @param {string} file
 * @returns {LockEntries | undefined}
 */
function readEntries(file) {
  return fs.existsSync(file) ? JSON.parse(fs.readFileSync(file, "utf8")).packages : undefined;
}

/** @param {LockEntry | undefined} entry */
function isNeededHere(entry) {
  if (!entry || !entry.optional) return true;
  return Boolean(entry.os && entry.cpu) && isForThisPlatform(entry) && isForThisLibc(entry);
}

/**
 * @param {LockEntry | undefined} wanted
 * @param {LockEntry | undefined} installed
 */
function isSamePackage(wanted, installed) {
  if (!wanted || !installed || !isForThisPlatform(installed)) return false;
  return wanted.version === installed.version && wanted.integrity === installed.integrity;
}

/** @param {LockEntry} entry */
function isForThisPlatform(entry) {
  return names(entry.os, process.platform) && names(entry.cpu, process.arch);
}

/** @param {LockEntry} entry */
function isForThisLibc(entry) {
  const report = JSON.stringify(process.report ? process.report.getReport() : {});
  return names(entry.libc, report.includes("glibcVersionRuntime") ? "glibc" : "musl");
}

/**
 * @param {string | string[] | undefined} list
 * @param {string} name
 */
function names(list, name) {
  return list === undefined || list === name || (Array.isArray(list) && list.includes(name));
}
