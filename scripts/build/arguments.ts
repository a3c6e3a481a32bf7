import { type CommandLine, verbExitCodes } from "../../app/cli/command-line.ts";
import { checkChoice, readFlags, text } from "../../app/cli/flags.ts";
import { type ReleasePlatform, releasePlatforms } from "../../cloud-init/built-release.ts";

export type BuildOptions = Readonly<{ platform: ReleasePlatform }>;

const flags = {
  platform: text("NAME", `${releasePlatforms.join(" or ")}; ${releasePlatforms[0]} without it`),
} as const;

export const buildCommand: CommandLine<BuildOptions> = {
  name: "build",
  about:
    "Builds the archive of all that runs on a machine. The same sources make the same archive; up builds it by itself.",
  flags,
  examples: ["--platform linux-arm64"],
  exitCodes: verbExitCodes,
  readArguments,
};

/** Reads the command line of `build`. Throws UsageError, naming the flag, on anything that is not understood. */
function readArguments(words: readonly string[]): BuildOptions {
  const { platform } = readFlags(words, flags);
  checkChoice("platform", platform, releasePlatforms);
  return Object.freeze({ platform: releasePlatforms.find((known) => known === platform) ?? releasePlatforms[0] });
}
