import { existsSync, statSync } from "node:fs";

import { findBuiltRelease, releaseFolder, releaseNote, type ReleasePlatform } from "../../cloud-init/built-release.ts";
import { buildRelease } from "../build/build-release.ts";
import { Refused } from "../verb/run-verb.ts";
import type { Transcript } from "../verb/transcript.ts";

type ReleaseChoice = { platform: ReleasePlatform; build: boolean };

/**
 * Builds the release that will be brought to the machine from what is here; what has not changed makes the same archive again, and then nothing is to be
 * done. Without `build` the last one is taken; throws Refused when there is none.
 */
export async function ensureRelease({ platform, build }: ReleaseChoice, transcript: Transcript): Promise<void> {
  const last = findRelease(platform);
  if (!build) {
    if (last === null)
      throw new Refused(
        `no release for ${platform} was built, and --no-build builds none: npm run build -- --platform ${platform}`,
      );
    transcript.line(
      `release ${last.sha256.slice(0, 12)}, built ${last.builtAt.toISOString()}, whatever has changed here since`,
    );
    return;
  }
  await transcript.step(
    `build the release for ${platform}`,
    () => buildRelease(platform, releaseFolder),
    ({ sha256, bytes }) => {
      const change = sha256 === last?.sha256 ? ", as it was built last" : "";
      return `${sha256.slice(0, 12)}, ${(bytes / 1e6).toFixed(1)} MB${change}`;
    },
  );
}

/** The release whose archive is there, and when it was noted. */
function findRelease(platform: ReleasePlatform): { sha256: string; builtAt: Date } | null {
  const built = findBuiltRelease(platform);
  if (built === undefined || !existsSync(built.path)) return null;
  return { sha256: built.sha256, builtAt: statSync(releaseNote(platform)).mtime };
}
