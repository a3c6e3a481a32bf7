import { createPrivateKey, X509Certificate } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

import { fsyncPath } from "../durable-file.ts";

/** A file of Caddy's storage, by its path in it. */
export type StoredFile = { path: string; text: string };

/** The account, and the certificates with their keys. The rest of the storage is made anew by Caddy. */
const kept = ["acme", "certificates"] as const;

/** Whether a path is one of those files. Others are neither copied nor put back. */
export function isKept(path: string): boolean {
  return /^(?:acme|certificates)(?:\/[\w.@+-]+)+\.(?:crt|key|json)$/.test(path) && !path.includes("..");
}

/** Reads those files, in the order of their paths. A file that Caddy removes meanwhile is left out. */
export function readStorage(storage: string): StoredFile[] {
  const paths = kept.flatMap((folder) => listFolder(storage, folder)).filter((path) => isKept(path));
  return paths.toSorted().flatMap((path) => {
    const text = readIfThere(join(storage, path));
    return text === null ? [] : [{ path, text }];
  });
}

/** The certificate that has no key, or another one's; null when all are whole. Caddy writes the files one by one. */
export function findHalf(files: readonly StoredFile[]): string | null {
  const texts = new Map(files.map(({ path, text }) => [path, text]));
  const half = files.find(({ path, text }) => {
    if (!path.endsWith(".crt")) return false;
    const key = texts.get(path.replace(/\.crt$/, ".key"));
    return key === undefined || !isPair(text, key);
  });
  return half?.path ?? null;
}

/**
 * The names and addresses for which an issuer's certificate is there, whole and not over. One that is half written, as
 * for a moment in each renewal, counts for those that were held `before`.
 */
export function listHeld(
  files: readonly StoredFile[],
  acmeDirectory: string,
  nowMs: number,
  before: ReadonlySet<string> = new Set(),
): ReadonlySet<string> {
  const folder = `certificates/${nameIssuer(acmeDirectory)}/`;
  const texts = new Map(files.map(({ path, text }) => [path, text]));
  const certificates = files.filter(({ path }) => path.startsWith(folder) && path.endsWith(".crt"));
  return new Set(
    certificates.flatMap(({ path, text }) => {
      const certificate = readCertificate(text);
      if (certificate === null || certificate.validToDate.getTime() <= nowMs) return [];
      const key = texts.get(path.replace(/\.crt$/, ".key"));
      const names = listNames(certificate);
      return key !== undefined && isPair(text, key) ? names : names.filter((name) => before.has(name));
    }),
  );
}

/**
 * Writes files into a storage that has no certificate, so that all of them are there or none: the certificates come last, by
 * one rename.
 */
export function writeStorage(storage: string, files: readonly StoredFile[]): void {
  const unfinished = join(storage, "putting-back");
  rmSync(unfinished, { recursive: true, force: true });
  for (const { path, text } of files) {
    const place = join(unfinished, path);
    mkdirSync(dirname(place), { recursive: true, mode: 0o700 });
    writeFileSync(place, text, { mode: 0o600, flush: true });
  }
  for (const folder of kept) {
    if (statSync(join(unfinished, folder), { throwIfNoEntry: false }) === undefined) continue;
    rmSync(join(storage, folder), { recursive: true, force: true });
    renameSync(join(unfinished, folder), join(storage, folder));
  }
  rmSync(unfinished, { recursive: true, force: true });
  fsyncPath(storage);
}

/** How Caddy names the folder of an issuer: the directory's host and path (CertMagic's issuerKey, made a safe key). */
function nameIssuer(acmeDirectory: string): string {
  const { host, pathname } = new URL(acmeDirectory);
  const path = pathname.replaceAll("/", "-").replaceAll(/^-+|-+$/g, "");
  const name = path === "" ? host : `${host}-${path}`;
  return name.toLowerCase().replaceAll(":", "-");
}

function isPair(certificate: string, key: string): boolean {
  try {
    return new X509Certificate(certificate).checkPrivateKey(createPrivateKey(key));
  } catch {
    // Half a file is no certificate and no key.
    return false;
  }
}

function readCertificate(text: string): X509Certificate | null {
  try {
    return new X509Certificate(text);
  } catch {
    return null;
  }
}

function listNames({ subjectAltName = "" }: X509Certificate): string[] {
  return subjectAltName.split(", ").flatMap((name) => {
    const [, type, value = ""] = /^(DNS|IP Address):(.*)$/.exec(name) ?? [];
    if (type === undefined) return [];
    return [value.includes(":") ? new URL(`http://[${value}]`).hostname.slice(1, -1) : value.toLowerCase()];
  });
}

function listFolder(storage: string, folder: string): string[] {
  try {
    const entries = readdirSync(join(storage, folder), { recursive: true, encoding: "utf8" });
    return entries.map((name) => `${folder}/${name}`);
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

function readIfThere(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}
