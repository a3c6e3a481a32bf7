import { join } from "node:path";

import type { Build } from "../../../scripts/go/recipe.ts";
import { engineVersion, hcloudPluginVersion, toolsDirectory } from "./versions.ts";

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

/** The engine looks for a language host beside itself. */
export const languageHost = {
  source: join(toolsDirectory, "..", "language-host", "pulumi-language-nodejs"),
  output: `versions/${engineVersion}/bin/pulumi-language-nodejs`,
};
