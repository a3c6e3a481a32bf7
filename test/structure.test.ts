import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join, relative, resolve } from "node:path";

import { Type } from "typebox";
import { Value } from "typebox/value";
import ts from "typescript";
import { expect, test } from "vitest";

const root = dirname(import.meta.dirname);

/**
 * What a file may import beside its own folder; the longest matching `from` counts. A path that ends in `.ts` is that
 * one file.
 */
const dependencyRule: readonly { from: string; to: readonly string[] }[] = [
  { from: "test", to: ["app", "scripts", "infra", "cloud-init"] },
  { from: "scripts", to: ["app", "cloud-init", "infra/cost/monthly-cost.ts", "infra/survey/data-place.ts"] },
  { from: "infra", to: ["cloud-init"] },
  { from: "cloud-init", to: [] },
  { from: "app", to: [] },
  { from: "app/database", to: ["app/log.ts", "app/durable-file.ts"] },
  {
    from: "app/boot",
    to: [
      "app/log.ts",
      "app/durable-file.ts",
      "app/replica",
      "app/database/open-database.ts",
      "app/database/commit-sequence.ts",
      "app/database/database-file.ts",
      "app/database/sqlite-failure.ts",
    ],
  },
  {
    from: "app/replica",
    to: [
      "app/log.ts",
      "app/durable-file.ts",
      "app/database/open-database.ts",
      "app/database/commit-sequence.ts",
      "app/database/database-file.ts",
      "app/database/file-locks.ts",
      "app/database/sqlite-failure.ts",
    ],
  },
  {
    from: "app/deploys",
    to: [
      "app/log.ts",
      "app/durable-file.ts",
      "app/replica/bucket-error.ts",
      "app/replica/bucket.ts",
      "app/replica/parse-json.ts",
      "app/replica/s3-client.ts",
    ],
  },
  {
    from: "app/edge",
    to: [
      "app/log.ts",
      "app/durable-file.ts",
      "app/environment.ts",
      "app/replica/bucket.ts",
      "app/replica/bucket-error.ts",
      "app/replica/parse-json.ts",
      "app/replica/rare-causes.ts",
      "app/replica/s3-client.ts",
      "app/replica/wait-for-store.ts",
    ],
  },
  {
    from: "app/files",
    to: ["app/replica/bucket-error.ts", "app/replica/s3-client.ts"],
  },
  {
    from: "app/load",
    to: [
      "app/log.ts",
      "app/durable-file.ts",
      "app/database",
      "app/replica/lock.ts",
      "app/replica/machine.ts",
      "app/replica/parse-json.ts",
    ],
  },
  {
    from: "app/service",
    to: [
      "app/product.ts",
      "app/drill-subject.ts",
      "app/background/job.ts",
      "app/database/command.ts",
      "app/database/commit-feed.ts",
      "app/database/migration.ts",
      "app/database/outbox.ts",
      "app/database/report.ts",
      "app/database/sql.ts",
      "app/database/transaction.ts",
      "app/database/write-outcome.ts",
      "app/http/events.ts",
      "app/http/uploads.ts",
      "app/http/reads.ts",
      "app/http/problem.ts",
      "app/http/product-routes.ts",
    ],
  },
  {
    from: "app/background",
    to: [
      "app/log.ts",
      "app/database",
      "app/replica/replication.ts",
      "app/replica/elapsed.ts",
      "app/replica/rare-causes.ts",
    ],
  },
  {
    from: "app/http",
    to: [
      "app/background/background.ts",
      "app/database",
      "app/files",
      "app/load/load.ts",
      "app/replica/replication.ts",
      "app/replica/replication-options.ts",
    ],
  },
];

const rootFiles = "Pulumi.yaml package.json package-lock.json tsconfig.json README.md LICENSE Dockerfile";
const topLevel = new Set(`${rootFiles} infra app cloud-init scripts test docs node_modules`.split(" "));

const lockfileSchema = Type.Object({
  packages: Type.Record(
    Type.String(),
    Type.Object({ optionalDependencies: Type.Optional(Type.Record(Type.String(), Type.String())) }),
  ),
});

test("every import obeys the dependency rule between folders", () => {
  const imports = listSources().flatMap(readImports);
  expect(imports.length, "imports that were looked at").toBeGreaterThan(20);
  expect(imports.filter(({ from, to }) => !isAllowed(from, to)).map(({ from, to }) => `${from} -> ${to}`)).toEqual([]);
});

test("the kit imports only product.ts of the product", () => {
  const inward = listSources()
    .filter((path) => !path.startsWith("app/service/") && !path.startsWith("test/service/"))
    .flatMap(readImports)
    .filter(({ to }) => to.startsWith("app/service/"));
  expect(new Set(inward.map(({ to }) => to))).toEqual(new Set(["app/service/product.ts"]));
  expect(inward.map(({ from }) => from).toSorted()).toEqual([
    "app/main.ts",
    "app/plan.ts",
    "app/report-runner.ts",
    "app/verbs/import.ts",
    "app/writer-thread.ts",
    "scripts/build/build-release.ts",
    "scripts/drill/author.ts",
    "scripts/drill/delivery-scene.ts",
    "scripts/drill/facts.ts",
    "test/machine/bootstrap.test.ts",
    "test/product/own-product.test.ts",
    "test/product/product-database.ts",
    "test/product/product-server.ts",
    "test/slow/dev.test.ts",
    "test/slow/release.test.ts",
  ]);
});

test("the dependency rule refuses forbidden imports", () => {
  expect(isAllowed("app/main.ts", "app/http/server.ts")).toBe(true);
  expect(isAllowed("app/main.ts", "scripts/drill.ts")).toBe(false);
  expect(isAllowed("app/database/start-writer.ts", "app/service/product.ts")).toBe(false);
  expect(isAllowed("app/http/server.ts", "app/service/product.ts")).toBe(false);
  expect(isAllowed("app/replica/head.ts", "app/database/start-writer.ts")).toBe(false);
  expect(isAllowed("app/database/start-writer.ts", "app/load/load-meter.ts")).toBe(false);
  expect(isAllowed("app/replica/claim.ts", "app/boot/decide-boot.ts")).toBe(false);
  expect(isAllowed("app/background/lane.ts", "app/http/server.ts")).toBe(false);
  expect(isAllowed("app/background/lane.ts", "app/service/product.ts")).toBe(false);
  expect(isAllowed("app/replica/replication.ts", "app/background/background.ts")).toBe(false);
  expect(isAllowed("app/service/product.ts", "app/background/lane.ts")).toBe(false);
  expect(isAllowed("app/service/queries.ts", "app/http/server.ts")).toBe(false);
  expect(isAllowed("scripts/drill.ts", "test/drill/story.ts")).toBe(false);
});

test("no file has a vague name", () => {
  const vague = /^(utils?|helpers?|common|managers?|misc)$/;
  expect(
    listSources().filter((path) =>
      basename(path)
        .split(/[.-]/)
        .some((word) => vague.test(word)),
    ),
  ).toEqual([]);
});

test("one function opens databases, so that no connection checkpoints behind Litestream's back", () => {
  const opening = /\bnew (Database|DatabaseSync)\(/;
  const openers = listSources()
    .filter((path) => path !== "app/database/open-database.ts" && path !== "test/structure.test.ts")
    .flatMap((path) => readLines(path).map((line, index) => ({ line, at: `${path}:${index + 1}` })))
    .filter(({ line }) => opening.test(line) && !line.includes("// not ours: "));
  expect(openers.map(({ at }) => at)).toEqual([]);
});

test("the top level has the folders of the design and nothing else", () => {
  // A stack's settings are its owner's.
  const entries = readdirSync(root).filter((name) => !name.startsWith(".") && !/^Pulumi\.[^.]+\.yaml$/.test(name));
  expect(entries.filter((name) => !topLevel.has(name))).toEqual([]);
});

test("the lockfile names every optional package, as npm ci demands", () => {
  const { packages } = Value.Parse(lockfileSchema, JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")));
  const missing = Object.entries(packages).flatMap(([path, entry]) =>
    Object.keys(entry.optionalDependencies ?? {}).filter(
      (name) => !packages[`${path}/node_modules/${name}`] && !packages[`node_modules/${name}`],
    ),
  );
  expect(missing).toEqual([]);
});

function listSources(): string[] {
  const folders = ["app", "cloud-init", "infra", "scripts", "test"].filter((folder) => existsSync(join(root, folder)));
  return folders.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
      .filter((path) => /\.(ts|mjs)$/.test(path))
      .map((path) => `${folder}/${path}`),
  );
}

function readLines(path: string): string[] {
  return readFileSync(join(root, path), "utf8").split("\n");
}

function readImports(from: string): { from: string; to: string }[] {
  const found = ts.preProcessFile(readFileSync(join(root, from), "utf8")).importedFiles;
  const ours = found.map((file) => file.fileName).filter((name) => name.startsWith("."));
  return ours.map((name) => ({ from, to: relative(root, resolve(root, dirname(from), name)) }));
}

function isAllowed(from: string, to: string): boolean {
  const rule = dependencyRule
    .filter((candidate) => from.startsWith(`${candidate.from}/`))
    .toSorted((left, right) => right.from.length - left.from.length)[0];
  if (rule === undefined) return false;
  return [rule.from, ...rule.to].some((place) => to === place || to.startsWith(`${place}/`));
}
