import { join } from "node:path";

import { renderSeconds } from "../app/cli/quantity.ts";
import type { Transcript } from "../app/cli/transcript.ts";
import { releaseFolder } from "../cloud-init/built-release.ts";
import { buildCommand, type BuildOptions } from "./build/arguments.ts";
import { buildRelease } from "./build/build-release.ts";
import { runVerb } from "./cli/run-verb.ts";

await runVerb(buildCommand, process.argv.slice(2), build);

async function build({ platform }: BuildOptions, transcript: Transcript): Promise<void> {
  const startedAt = performance.now();
  const { sha256, bytes } = await buildRelease(platform, releaseFolder);
  const seconds = renderSeconds(performance.now() - startedAt);
  transcript.line(`release ${sha256.slice(0, 12)} for ${platform}: ${(bytes / 1e6).toFixed(1)} MB in ${seconds}`);
  transcript.line(join(".release", `${sha256}.tar.gz`));
}
