import { buildOnce } from "../../../scripts/go/build-once.ts";
import { builds, languageHost } from "./recipe.ts";
import { toolsDirectory } from "./versions.ts";

/**
 * The folder with the engine and the hcloud plugin (a PULUMI_HOME), built from published Go modules at the first call
 * and cached by content outside the project. Throws when Go is missing or a build fails.
 */
export function buildEngine(say: (line: string) => void): Promise<string> {
  return buildOnce({ name: "engine", directory: toolsDirectory, builds, extra: [languageHost] }, say);
}
