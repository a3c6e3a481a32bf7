import { join } from "node:path";
import { parseArgs } from "node:util";

import { releaseFolder, type ReleasePlatform, releasePlatforms } from "../cloud-init/built-release.ts";
import { buildRelease } from "./build/build-release.ts";
import { usageExitCode } from "./verb/run-verb.ts";

const usage = `usage: npm run build [-- --platform ${releasePlatforms.join("|")}]`;

const platform = readPlatform(process.argv.slice(2));
if (platform === null) {
  process.stderr.write(`${usage}\n`);
  process.exitCode = usageExitCode;
} else {
  const startedAt = performance.now();
  const { sha256, bytes } = await buildRelease(platform, releaseFolder);
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  console.log(`release ${sha256.slice(0, 12)} for ${platform}: ${(bytes / 1e6).toFixed(1)} MB in ${seconds} s`);
  console.log(join(".release", `${sha256}.tar.gz`));
}

function readPlatform(words: string[]): ReleasePlatform | null {
  try {
    const { values } = parseArgs({ args: words, options: { platform: { type: "string", default: "linux-x64" } } });
    return releasePlatforms.find((known) => known === values.platform) ?? null;
  } catch (error) {
    process.stderr.write(`build: ${error instanceof Error ? error.message : String(error)}\n`);
    return null;
  }
}
