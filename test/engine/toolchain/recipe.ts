import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { engineVersion, hcloudPluginVersion, toolsDirectory } from "./versions.ts";

/** One `go build`: where it runs, what it makes, its path in the folder of what is built, and about how long it takes. */
export type Build = Readonly<{
  module: string;
  package: string;
  output: string;
  flags: readonly string[];
  takes: string;
}>;

/**
 * The two binaries, in the order that lets the second use what the first compiled. They stay two Go modules: one module
 * for both does not build, since the bridge and the CLI want different versions of the same table printer.
 */
export const builds: readonly Build[] = [
  {
    module: "engine",
    package: "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi",
    output: `versions/${engineVersion}/bin/pulumi`,
    flags: [
      "-tags=osusergo,grpcnotrace",
      `-ldflags=-s -w -X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v${engineVersion}`,
    ],
    takes: "5 to 15 minutes",
  },
  {
    module: "hcloud-plugin",
    package: ".",
    output: `plugins/resource-hcloud-v${hcloudPluginVersion}/pulumi-resource-hcloud`,
    flags: [`-ldflags=-s -w -X main.version=${hcloudPluginVersion}`],
    takes: "5 to 15 minutes",
  },
];

/** Let's Encrypt's own ACME server for tests, and the DNS server that it asks. */
export const pebbleBuilds: readonly Build[] = ["pebble", "pebble-challtestsrv"].map((name) => ({
  module: "pebble",
  package: `github.com/letsencrypt/pebble/v2/cmd/${name}`,
  output: name,
  flags: ["-ldflags=-s -w"],
  takes: "a minute",
}));

/** The engine looks for a language host beside itself. */
export const languageHost = {
  source: join(toolsDirectory, "..", "language-host", "pulumi-language-nodejs"),
  output: `versions/${engineVersion}/bin/pulumi-language-nodejs`,
};

/** The arguments of `go` for one build. -trimpath makes it the same in every folder. */
export function goArguments(build: Build, home: string): string[] {
  return ["build", "-trimpath", "-buildvcs=false", ...build.flags, "-o", join(home, build.output), build.package];
}

/**
 * Names what is built: the sources, the flags and the platform. The Go compiler is left out, so that a machine that has
 * the binaries in its cache needs no Go.
 */
export function recipeKey(
  { builds: parts, extra }: { builds: readonly Build[]; extra: readonly { source: string }[] },
  platform: string,
): string {
  const hash = createHash("sha256").update(`${platform}\n${JSON.stringify(parts)}\n`);
  for (const module of new Set(parts.map((part) => part.module)))
    for (const file of listToolFiles(module)) hash.update(`${file}\n`).update(readFileSync(join(toolsDirectory, file)));
  for (const { source } of extra) hash.update(readFileSync(source));
  return hash.digest("hex").slice(0, 16);
}

function listToolFiles(module: string): string[] {
  const files = readdirSync(join(toolsDirectory, module), { recursive: true, encoding: "utf8" });
  const paths = files.map((file) => `${module}/${file}`);
  return paths.filter((file) => /(^|\/)(go\.mod|go\.sum|[^/]+\.go)$/.test(file)).toSorted();
}
