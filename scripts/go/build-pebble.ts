import { join } from "node:path";

import { buildOnce } from "./build-once.ts";

export type Pebble = { pebble: string; nameServer: string };

/** Let's Encrypt's own ACME server for tests, and the DNS server that it asks. */
const builds = ["pebble", "pebble-challtestsrv"].map((name) => ({
  module: "pebble",
  package: `github.com/letsencrypt/pebble/v2/cmd/${name}`,
  output: name,
  flags: ["-ldflags=-s -w"],
  takes: "a minute",
}));

/**
 * The paths of the ACME server and of its name server, built from published Go modules at the first call. Throws when
 * Go is missing.
 */
export async function buildPebble(say: (line: string) => void): Promise<Pebble> {
  const home = await buildOnce({ name: "pebble", directory: import.meta.dirname, builds, extra: [] }, say);
  return { pebble: join(home, "pebble"), nameServer: join(home, "pebble-challtestsrv") };
}
