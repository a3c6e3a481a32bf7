import { readFileSync } from "node:fs";
import { join } from "node:path";

export const toolsDirectory = join(import.meta.dirname, "..", "tools");

/** The engine's version: the newest whose source the Go module proxy serves. It runs newer SDKs as well. */
export const engineVersion = readRequirement("engine", "github.com/pulumi/pulumi/pkg/v3");

/** The version that @pulumi/hcloud asks the engine for; the engine takes no other one. */
export const hcloudPluginVersion = "1.41.0";

function readRequirement(module: string, dependency: string): string {
  const path = join(toolsDirectory, module, "go.mod");
  const version = new RegExp(`${dependency} v(\\S+)`).exec(readFileSync(path, "utf8"))?.[1];
  if (version === undefined) throw new Error(`${path} does not require ${dependency}`);
  return version;
}
