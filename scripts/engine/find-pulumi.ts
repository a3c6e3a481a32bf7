import { existsSync, readdirSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

import { PulumiCommand } from "@pulumi/pulumi/automation/index.js";

import { findOnPath } from "../build/find-on-path.ts";

/**
 * The `pulumi` on PATH, else the newest that Pulumi's installer or its SDKs left in PULUMI_HOME. Throws when there is none, or when it is older
 * than the SDK allows.
 */
export async function findPulumi(environment: NodeJS.ProcessEnv): Promise<PulumiCommand> {
  const [onPath] = findOnPath("pulumi", environment["PATH"] ?? "");
  const root = onPath === undefined ? findRoot(environment["PULUMI_HOME"] ?? join(homedir(), ".pulumi")) : null;
  if (root === undefined) {
    throw new Error(
      "no `pulumi` on PATH, and none in PULUMI_HOME/versions: install it, https://www.pulumi.com/docs/install/",
    );
  }
  return PulumiCommand.get(root === null ? {} : { root });
}

/** The folder whose `bin` holds `pulumi`; undefined when there is none. */
export function findRoot(home: string): string | undefined {
  const versions = join(home, "versions");
  const kept = existsSync(versions) ? readdirSync(versions).toSorted(compareVersions).toReversed() : [];
  const roots = [...kept.map((version) => join(versions, version)), home];
  return roots.find((root) => findOnPath("pulumi", join(root, "bin")).length > 0);
}

function compareVersions(left: string, right: string): number {
  return left.localeCompare(right, "en", { numeric: true });
}
