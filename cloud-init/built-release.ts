import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";

import { type Static, Type } from "typebox";
import { Value } from "typebox/value";

/** The platforms of a machine. */
export const releasePlatforms = ["linux-x64", "linux-arm64"] as const;
export type ReleasePlatform = (typeof releasePlatforms)[number];

/** Where `npm run build` puts its archives. */
export const releaseFolder = resolve(import.meta.dirname, "../.release");

const hash = Type.String({ pattern: "^[0-9a-f]{64}$" });
const NoteSchema = Type.Object({
  sha256: hash,
  bytes: Type.Optional(Type.Number()),
  /** From the root of the repository. */
  path: Type.String({ minLength: 1 }),
  /** The hash of the packed content. */
  content: Type.Optional(hash),
});
export type ReleaseNote = Static<typeof NoteSchema>;

/** The note of a build exists, but cannot be read: a write was cut off, or something else overwrote it. */
export class UnreadableNote extends Error {}

const root = resolve(import.meta.dirname, "..");

/** Hetzner's ARM types are those of the cax line. */
export function platformOf(serverType: string): ReleasePlatform {
  return serverType.startsWith("cax") ? "linux-arm64" : "linux-x64";
}

/** The path of the note in which a build records its latest archive for a platform. */
export function releaseNote(platform: ReleasePlatform, folder: string = releaseFolder): string {
  return join(folder, `latest-${platform}.json`);
}

export type BuiltRelease = {
  sha256: string;
  /** Absolute path of the archive on this computer. It may no longer exist. */
  path: string;
};

/** Reads the note of the last build. Undefined when there is none. Throws UnreadableNote, which says what to do. */
function readReleaseNote(platform: ReleasePlatform, folder?: string): ReleaseNote | undefined {
  const file = releaseNote(platform, folder);
  if (!existsSync(file)) return undefined;
  try {
    return Value.Parse(NoteSchema, JSON.parse(readFileSync(file, "utf8")));
  } catch (error) {
    throw new UnreadableNote(
      `${file} does not say which release was built; write it anew: npm run build -- --platform ${platform}`,
      { cause: error },
    );
  }
}

/** The same for callers that build anyway: an unreadable note counts as none. */
export function findReadableNote(platform: ReleasePlatform, folder?: string): ReleaseNote | undefined {
  try {
    return readReleaseNote(platform, folder);
  } catch (error) {
    if (error instanceof UnreadableNote) return undefined;
    throw error;
  }
}

/** Writes the note of a build atomically, even if the build is interrupted. */
export function writeReleaseNote(platform: ReleasePlatform, folder: string, note: ReleaseNote): void {
  const file = releaseNote(platform, folder);
  const unfinished = `${file}.${process.pid}`;
  try {
    writeFileSync(unfinished, `${JSON.stringify(note, null, 2)}\n`, { flush: true });
    renameSync(unfinished, file);
  } finally {
    rmSync(unfinished, { force: true });
  }
}

/** Finds the release that was built last for a platform. Undefined when there is none. Throws UnreadableNote. */
export function findBuiltRelease(platform: ReleasePlatform, folder?: string): BuiltRelease | undefined {
  const note = readReleaseNote(platform, folder);
  return note === undefined ? undefined : { sha256: note.sha256, path: resolve(root, note.path) };
}
