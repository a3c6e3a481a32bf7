import { dirname } from "node:path";

import { defineConfig } from "vitest/config";

/** Suites with whole machines in them: `npm run test:slow`, that is `vitest --mode slow`. */
const slowSuites = ["test/{drill,machine,slow}/**/*.test.ts"];

export default defineConfig(({ mode }) => ({
  root: dirname(import.meta.dirname),
  test: {
    include: mode === "slow" ? slowSuites : ["test/**/*.test.ts"],
    exclude: mode === "slow" ? [] : slowSuites,
    testTimeout: mode === "slow" ? 180_000 : 30_000,
    hookTimeout: mode === "slow" ? 180_000 : 30_000,
    // Native addons and worker threads of the app's own want a process, not a thread of vitest's.
    pool: "forks",
    // Tests start real servers; more than one file per core (CI has two) would measure each other.
    maxWorkers: mode === "slow" ? 1 : 2,
    fileParallelism: mode !== "slow",
  },
}));
