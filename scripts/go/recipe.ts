import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** One `go build`: where it runs, what it makes, its path in the folder of what is built, and about how long it takes. */
export type Build = Readonly<{
  module: string;
  package: string;
  output: string;
  flags: readonly string[];
  takes: string;
}>;

/** What is built together, from the modules in `directory`, and the files that are put beside it. */
export type Recipe = Readonly<{
  name: string;
  directory: string;
  builds: readonly Build[];
  extra: readonly { source: string; output: string }[];
}>;

/** The arguments of `go` for one build. -trimpath makes it the same in every folder. */
export function goArguments(build: Build, home: string): string[] {
  return ["build", "-trimpath", "-buildvcs=false", ...build.flags, "-o", join(home, build.output), build.package];
}

/**
 * Names what is built: the sources, the flags and the platform. The Go compiler is left out, so that a machine that has
 * the binaries in its cache needs no Go.
 */
export function recipeKey({ directory, builds, extra }: Recipe, platform: string): string {
  const hash = createHash("sha256").update(`${platform}\n${JSON.stringify(builds)}\n`);
  for (const module of new Set(builds.map((build) => build.module)))
    for (const file of listSources(directory, module))
      hash.update(`${file}\n`).update(readFileSync(join(directory, file)));
  for (const { source } of extra) hash.update(readFileSync(source));
  return hash.digest("hex").slice(0, 16);
}

function listSources(directory: string, module: string): string[] {
  const files = readdirSync(join(directory, module), { recursive: true, encoding: "utf8" });
  const paths = files.map((file) => `${module}/${file}`);
  return paths.filter((file) => /(^|\/)(go\.mod|go\.sum|[^/]+\.go)$/.test(file)).toSorted();
}
