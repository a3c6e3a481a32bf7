import { existsSync, statSync } from "node:fs";

import { Refused } from "../../app/cli/command-line.ts";
import type { Transcript } from "../../app/cli/transcript.ts";
import {
  findBuiltRelease,
  findReadableNote,
  releaseFolder,
  releaseNote,
  type ReleasePlatform,
} from "../../cloud-init/built-release.ts";
import { buildRelease } from "../build/build-release.ts";

type ReleaseChoice = { platform: ReleasePlatform; build: boolean };

/**
 * Builds the release for the machine from the sources here. Unchanged sources make the same archive, and nothing has to
 * be done. Without `build` takes the last one. Throws Refused when there is none, UnreadableNote when that cannot be
 * known.
 */
export async function ensureRelease({ platform, build }: ReleaseChoice, transcript: Transcript): Promise<void> {
  if (!build) {
    const last = findBuiltRelease(platform);
    if (last === undefined || !existsSync(last.path))
      throw new Refused(
        `no release for ${platform} was built, and --no-build builds none: npm run build -- --platform ${platform}`,
      );
    const builtAt = statSync(releaseNote(platform)).mtime.toISOString();
    transcript.line(`release ${last.sha256.slice(0, 12)}, built ${builtAt}, whatever has changed here since`);
    return;
  }
  const before = findReadableNote(platform);
  await transcript.step(
    `build the release for ${platform}`,
    () => buildRelease(platform, releaseFolder),
    ({ sha256, bytes }) => {
      const change = sha256 === before?.sha256 ? ", as it was built last" : "";
      return `${sha256.slice(0, 12)}, ${(bytes / 1e6).toFixed(1)} MB${change}`;
    },
  );
}
