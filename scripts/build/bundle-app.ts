import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

import { build, type Plugin } from "esbuild";

import { listFiles } from "./release-files.ts";

/** The programs of a machine in a release that others start. */
export type AppBundle = { boot: string; lifeboat: string; main: string };

/** The app of this repository. */
export const appSources = join(import.meta.dirname, "../../app");

/**
 * Bundles the app into a directory that runs with Node alone, without npm and node_modules: boot, main, the edge, the
 * watcher of deploys, the command line, the writer thread, that of a calibration, the rehearsal, the process of reports and SQLite's binary for `platform` ("linux-x64", …). A bundle
 * starts in a third of the time of the sources, which is part of every recovery. Throws the errors that esbuild found.
 */
export async function bundleApp(
  sources: string,
  directory: string,
  platform = `${process.platform}-${process.arch}`,
): Promise<AppBundle> {
  const { outputFiles } = await build({
    // Names in the bundle and the search for packages start here, whatever the working directory.
    absWorkingDir: dirname(sources),
    // We write the files ourselves: esbuild is a separate process and could write after an interrupted drill has
    // cleaned up.
    write: false,
    entryPoints: [
      ...[
        "boot",
        "calibration-thread",
        "deploys",
        "edge",
        "lifeboat",
        "main",
        "plan",
        "rehearse",
        "report-runner",
        "sql-runner",
        "writer-thread",
      ].map((name) => ({
        in: join(sources, `${name}.ts`),
        out: name,
      })),
      ...Object.entries(lateLibraries).map(([library, out]) => ({ in: library, out })),
    ],
    plugins: [loadLate],
    outdir: directory,
    bundle: true,
    format: "esm",
    platform: "node",
    target: "node24",
    outExtension: { ".js": ".mjs" },
    alias: { "better-sqlite3": `better-sqlite3/${platform}` },
    loader: { ".node": "copy" },
    // CommonJS dependencies still call require.
    banner: {
      js: 'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);',
    },
    legalComments: "none",
    logLevel: "silent",
  });
  mkdirSync(directory, { recursive: true });
  for (const { path, contents } of outputFiles) writeFileSync(path, contents);
  copyFiles(join(sources, "service"), directory, new Set(outputFiles.map(({ path }) => path)));
  const programOf = (name: string) => join(directory, `${name}.mjs`);
  return { boot: programOf("boot"), lifeboat: programOf("lifeboat"), main: programOf("main") };
}

/**
 * What lies beside the product's sources, as its pages do, lies beside the bundle: at the same path from
 * `import.meta.url`.
 */
function copyFiles(service: string, directory: string, bundled: ReadonlySet<string>): void {
  for (const name of listFiles(service).filter((path) => !/\.[cm]?ts$/.test(path))) {
    const place = join(directory, name);
    if (bundled.has(place))
      throw new Error(`app/service/${name} has the name of a file of the bundle; rename it, or put it into a folder`);
    cpSync(join(service, name), place);
  }
}

/** Packages that only a request needs, each with the name of its file. */
const lateLibraries: Readonly<Record<string, string>> = {
  "@fastify/swagger": "openapi-library",
  "prom-client": "metrics-library",
};

/** Dynamic imports stay in separate files: 700 KB that no start has to read. */
const loadLate: Plugin = {
  name: "load-late",
  setup: (bundle) => {
    bundle.onResolve({ filter: new RegExp(`^(?:${Object.keys(lateLibraries).join("|")})$`) }, ({ kind, path }) =>
      kind === "dynamic-import" ? { path: `./${lateLibraries[path]}.mjs`, external: true } : null,
    );
  },
};
