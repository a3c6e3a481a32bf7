import { dirname } from "node:path";

import { defineConfig } from "vitest/config";

/** Suites with whole machines in them: `npm run test:slow`, that is `vitest --mode slow`. */
const slowSuites = ["test/{drill,machine,slow}/**/*.test.ts"];
/** Suites with the real Pulumi engine, which has to be built first: `npm run test:engine`. */
const engineSuites = ["test/engine/**/*.test.ts"];
/** Suites in which virtual machines boot, for minutes each: `npm run test:rehearsal`. Not in CI. */
const rehearsalSuites = ["test/rehearsal/**/*.test.ts"];
const suitesOf: Record<string, string[]> = { slow: slowSuites, engine: engineSuites, rehearsal: rehearsalSuites };

export default defineConfig(({ mode }) => {
  const special = suitesOf[mode];
  return {
    root: dirname(import.meta.dirname),
    test: {
      include: special ?? ["test/**/*.test.ts"],
      exclude: special === undefined ? Object.values(suitesOf).flat() : [],
      testTimeout: special === undefined ? 30_000 : 300_000,
      hookTimeout: special === undefined ? 30_000 : 300_000,
      // Native addons and worker threads of the app's own want a process, not a thread of vitest's.
      pool: "forks",
      // Tests start real servers and machines; more than one file per core (CI has two) would measure each other.
      maxWorkers: mode === "rehearsal" ? 1 : 2,
      globalSetup: mode === "engine" || mode === "rehearsal" ? ["test/engine/toolchain/global-setup.ts"] : [],
    },
  };
});
