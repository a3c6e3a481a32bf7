import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";

import { Type } from "typebox";
import { Value } from "typebox/value";

/** What a machine can be. */
export const releasePlatforms = ["linux-x64", "linux-arm64"] as const;
export type ReleasePlatform = (typeof releasePlatforms)[number];

/** Where `npm run build` leaves its archives. */
export const releaseFolder = resolve(import.meta.dirname, "../.release");

const NoteSchema = Type.Object({
  sha256: Type.String({ pattern: "^[0-9a-f]{64}$" }),
  path: Type.String({ minLength: 1 }),
});
const root = resolve(import.meta.dirname, "..");

/** Hetzner's ARM types are those of the cax line. */
export function platformOf(serverType: string): ReleasePlatform {
  return serverType.startsWith("cax") ? "linux-arm64" : "linux-x64";
}

/** The note by which a build says which archive of a platform it made last. */
export function releaseNote(platform: ReleasePlatform, folder: string = releaseFolder): string {
  return join(folder, `latest-${platform}.json`);
}

export type BuiltRelease = {
  sha256: string;
  /** Absolute path of the archive on this computer. It may be gone. */
  path: string;
};

/** Finds the release that was built last for a platform; undefined when none was. Throws when the note is no such note. */
export function findBuiltRelease(platform: ReleasePlatform, folder?: string): BuiltRelease | undefined {
  const note = releaseNote(platform, folder);
  if (!existsSync(note)) return undefined;
  const { sha256, path } = Value.Parse(NoteSchema, JSON.parse(readFileSync(note, "utf8")));
  return { sha256, path: resolve(root, path) };
}
