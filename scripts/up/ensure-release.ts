import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";

import { Type } from "typebox";
import { Value } from "typebox/value";

import { buildRelease, type ReleasePlatform } from "../build/build-release.ts";
import { repository } from "../stack/open-stack.ts";
import type { Transcript } from "../verb/transcript.ts";

const NoteSchema = Type.Object({ sha256: Type.String(), path: Type.String({ minLength: 1 }) });
const releases = join(repository, ".release");

/** Hetzner's ARM types are those of the cax line; infra/config.ts has the same rule, and a test compares them. */
export function platformOf(serverType: string): ReleasePlatform {
  return serverType.startsWith("cax") ? "linux-arm64" : "linux-x64";
}

/** Says which release will be brought to the machine, and builds one when none has been built. */
export async function ensureRelease(platform: ReleasePlatform, transcript: Transcript): Promise<void> {
  const built = findRelease(platform);
  if (built !== null) {
    transcript.line(
      `release ${built.sha256.slice(0, 12)}, built ${built.builtAt.toISOString()} (a newer one: npm run build)`,
    );
    return;
  }
  const build = () => buildRelease(platform, releases);
  const size = ({ sha256, bytes }: Awaited<ReturnType<typeof build>>) =>
    `${sha256.slice(0, 12)}, ${(bytes / 1e6).toFixed(1)} MB`;
  await transcript.step(`no release for ${platform} was built: build one`, build, size);
}

function findRelease(platform: ReleasePlatform): { sha256: string; builtAt: Date } | null {
  const note = join(releases, `latest-${platform}.json`);
  if (!existsSync(note)) return null;
  const { sha256, path } = Value.Parse(NoteSchema, JSON.parse(readFileSync(note, "utf8")));
  return existsSync(join(repository, path)) ? { sha256, builtAt: statSync(note).mtime } : null;
}
