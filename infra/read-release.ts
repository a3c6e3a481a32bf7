import { existsSync, readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";

import * as pulumi from "@pulumi/pulumi";
import { Type } from "typebox";
import { Value } from "typebox/value";

import type { platformOf } from "./config.ts";

export type Release = {
  sha256: string;
  /** Absolute path of the archive on this computer. */
  path: string;
};

const LatestSchema = Type.Object({
  sha256: Type.String({ pattern: "^[0-9a-f]{64}$" }),
  path: Type.String({ minLength: 1 }),
});
const root = dirname(import.meta.dirname);

/** Finds the release that `npm run build` made last for a platform. Throws pulumi.RunError when there is none. */
export function readRelease(
  platform: ReturnType<typeof platformOf>,
  folder: string = resolve(root, ".release"),
): Release {
  const build = `npm run build -- --platform ${platform}`;
  const note = resolve(folder, `latest-${platform}.json`);
  if (!existsSync(note))
    throw new pulumi.RunError(`no release for ${platform} has been built (${note} is missing); run ${build}`);
  const latest = Value.Parse(LatestSchema, JSON.parse(readFileSync(note, "utf8")));
  const path = resolve(root, latest.path);
  if (!existsSync(path))
    throw new pulumi.RunError(`release ${latest.sha256.slice(0, 12)} is gone from ${path}; run ${build}`);
  return { sha256: latest.sha256, path };
}
