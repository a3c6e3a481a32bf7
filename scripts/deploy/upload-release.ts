import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";

import type { BuiltRelease } from "../../cloud-init/built-release.ts";
import type { CloudStore } from "../store/open-client.ts";
import { putObject } from "../store/store-object.ts";
import { hasObject } from "./fetch-known-json.ts";

/** The key of a release. */
export function releaseKey(sha256: string): string {
  return `releases/${sha256}.tar.gz`;
}

/** Puts a release into the bucket, unless it is there. Returns its size in bytes, or null when it was there. */
export async function uploadRelease(store: CloudStore, { sha256, path }: BuiltRelease): Promise<number | null> {
  const key = releaseKey(sha256);
  if (await hasObject(store, key)) return null;
  const body = await readArchive({ sha256, path });
  await putObject(store, key, { body, contentType: "application/gzip" });
  return body.length;
}

/** Reads an archive. Throws unless it is the one that was built: a machine would refuse it, but only later. */
export async function readArchive({ sha256, path }: BuiltRelease): Promise<Buffer> {
  const bytes = await readFile(path);
  const found = createHash("sha256").update(bytes).digest("hex");
  if (found === sha256) return bytes;
  throw new Error(`${path} has SHA-256 ${found}, but ${sha256} was built; run npm run build`);
}
