import { dirname } from "node:path";

import { defineConfig } from "vitest/config";

/** Suites with whole machines in them: `npm run test:slow`, that is `vitest --mode slow`. */
const slowSuites = ["test/{drill,machine,slow}/**/*.test.ts"];
/** Suites with the real Pulumi engine, which has to be built first: `npm run test:engine`. */
const engineSuites = ["test/engine/**/*.test.ts"];
/** Suites in which virtual machines boot, for minutes each: `npm run test:rehearsal`. */
const rehearsalSuites = ["test/rehearsal/**/*.test.ts"];
/** What Litestream does, with the one that comes after the pinned one: `npm run test:next`. */
const nextSuites = [
  "test/{replica,boot}/**/*.test.ts",
  "test/slow/{replica/*,completeness,outage,stop,stop-and-start}.test.ts",
  "test/drill/{drill,faults}.test.ts",
];
const suitesOf: Record<string, string[]> = {
  slow: slowSuites,
  engine: engineSuites,
  rehearsal: rehearsalSuites,
  next: nextSuites,
};
const engineSetup = "test/engine/toolchain/global-setup.ts";
const setupOf: Record<string, string[]> = {
  engine: [engineSetup],
  rehearsal: [engineSetup],
  next: ["test/replica/try-next-litestream.ts"],
};
/** The fast tests are those that no other suite has for itself. */
const notFast = [slowSuites, engineSuites, rehearsalSuites].flat();

export default defineConfig(({ mode }) => {
  const special = suitesOf[mode];
  return {
    root: dirname(import.meta.dirname),
    test: {
      include: special ?? ["test/**/*.test.ts"],
      exclude: special === undefined ? notFast : [],
      testTimeout: special === undefined ? 30_000 : 300_000,
      hookTimeout: special === undefined ? 30_000 : 300_000,
      // Native addons and worker threads of the app's own want a process, not a thread of vitest's.
      pool: "forks",
      // Tests start real servers and machines; more than one file per core (CI has two) would measure each other.
      maxWorkers: mode === "rehearsal" ? 1 : 2,
      globalSetup: setupOf[mode] ?? [],
    },
  };
});
