import { existsSync } from "node:fs";
import { dirname, join } from "node:path";

import { findOnPath } from "../../../scripts/build/find-on-path.ts";
import { runCommand } from "../../../scripts/build/run-command.ts";
import { buildEngine } from "./build-engine.ts";
import { engineVersion } from "./versions.ts";

export type Engine = Readonly<{
  /** `bin/pulumi` lies in it. */
  root: string;
  /** Holds resource-hcloud-vVERSION. */
  pluginsDirectory: string;
  origin: "official" | "built";
}>;

/**
 * The engine that the tests run: the official `pulumi` if the pinned version is on PATH with its nodejs language host,
 * else one that is built from the same source. The hcloud plugin is the built one in both cases.
 */
export async function findEngine(say: (line: string) => void, searchPath = process.env["PATH"] ?? ""): Promise<Engine> {
  const official = await findOfficial(searchPath);
  const home = await buildEngine(say);
  const pluginsDirectory = join(home, "plugins");
  if (official !== null) return { root: dirname(dirname(official)), pluginsDirectory, origin: "official" };
  return { root: join(home, "versions", engineVersion), pluginsDirectory, origin: "built" };
}

/** The path of an official `pulumi` of the pinned version, or null. */
export async function findOfficial(searchPath: string): Promise<string | null> {
  for (const pulumi of findOnPath("pulumi", searchPath)) {
    if (!existsSync(join(dirname(pulumi), "pulumi-language-nodejs"))) continue;
    const version = await runCommand(pulumi, ["version"], { timeoutMs: 30_000 });
    if (version.trim() === `v${engineVersion}`) return pulumi;
  }
  return null;
}
