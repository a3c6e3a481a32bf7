import { existsSync } from "node:fs";

import * as pulumi from "@pulumi/pulumi";

import {
  type BuiltRelease,
  findBuiltRelease,
  type ReleasePlatform,
  releaseNote,
  UnreadableNote,
} from "../../cloud-init/built-release.ts";

/** Finds the release that `npm run build` made last for a platform. Throws pulumi.RunError when there is none or its note cannot be read. */
export function readRelease(platform: ReleasePlatform, folder?: string): BuiltRelease {
  const build = `npm run build -- --platform ${platform}`;
  const latest = find(platform, folder);
  if (latest === undefined) {
    const note = releaseNote(platform, folder);
    throw new pulumi.RunError(`no release for ${platform} has been built (${note} is missing); run ${build}`);
  }
  if (!existsSync(latest.path))
    throw new pulumi.RunError(`release ${latest.sha256.slice(0, 12)} is gone from ${latest.path}; run ${build}`);
  return latest;
}

function find(platform: ReleasePlatform, folder?: string): BuiltRelease | undefined {
  try {
    return findBuiltRelease(platform, folder);
  } catch (error) {
    // Of a RunError the engine shows the message, of any other its stack.
    throw error instanceof UnreadableNote ? new pulumi.RunError(error.message) : error;
  }
}
