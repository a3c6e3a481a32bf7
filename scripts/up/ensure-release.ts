import { existsSync, statSync } from "node:fs";

import { findBuiltRelease, releaseFolder, releaseNote, type ReleasePlatform } from "../../cloud-init/built-release.ts";
import { buildRelease } from "../build/build-release.ts";
import type { Transcript } from "../verb/transcript.ts";

/** Says which release will be brought to the machine, and builds one when none has been built. */
export async function ensureRelease(platform: ReleasePlatform, transcript: Transcript): Promise<void> {
  const built = findRelease(platform);
  if (built !== null) {
    transcript.line(
      `release ${built.sha256.slice(0, 12)}, built ${built.builtAt.toISOString()} (a newer one: npm run build)`,
    );
    return;
  }
  const build = () => buildRelease(platform, releaseFolder);
  const size = ({ sha256, bytes }: Awaited<ReturnType<typeof build>>) =>
    `${sha256.slice(0, 12)}, ${(bytes / 1e6).toFixed(1)} MB`;
  await transcript.step(`no release for ${platform} was built: build one`, build, size);
}

/** The release whose archive is there, and when it was noted. */
function findRelease(platform: ReleasePlatform): { sha256: string; builtAt: Date } | null {
  const built = findBuiltRelease(platform);
  if (built === undefined || !existsSync(built.path)) return null;
  return { sha256: built.sha256, builtAt: statSync(releaseNote(platform)).mtime };
}
