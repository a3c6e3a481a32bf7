import { join } from "node:path";

import { buildOnce } from "./build-once.ts";

/** Published as a Go module and not yet as a wheel. When it is, it becomes the pin of the manifest. */
const version = "0.5.18";

const build = {
  module: "litestream",
  package: "github.com/benbjohnson/litestream/cmd/litestream",
  output: "litestream",
  flags: [`-ldflags=-s -w -X main.Version=${version}`],
  takes: "some minutes",
};

/**
 * The path of the Litestream that comes after the pinned one, built from its published Go module at the first call.
 * Throws when Go is missing.
 */
export async function buildNextLitestream(say: (line: string) => void): Promise<string> {
  const home = await buildOnce({ name: "litestream", directory: import.meta.dirname, builds: [build], extra: [] }, say);
  return join(home, "litestream");
}
