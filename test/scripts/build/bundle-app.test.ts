import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, expect, test } from "vitest";

import { bundleApp } from "../../../scripts/build/bundle-app.ts";

const directory = mkdtempSync(join(tmpdir(), "lifeboat-bundle-"));
const sources = join(directory, "app");
const service = join(sources, "service");

beforeAll(() => {
  mkdirSync(join(service, "pages"), { recursive: true });
  symlinkSync(join(import.meta.dirname, "../../../node_modules"), join(directory, "node_modules"));
  for (const name of [
    "boot",
    "calibration-thread",
    "deploys",
    "edge",
    "lifeboat",
    "plan",
    "rehearse",
    "report-runner",
    "sql-runner",
    "writer-thread",
  ])
    writeFileSync(join(sources, `${name}.ts`), "");
  const door = 'export const page = new URL("pages/index.html", import.meta.url);';
  writeFileSync(join(service, "product.ts"), door);
  const main = 'import { readFileSync } from "node:fs";\nimport { page } from "./service/product.ts";\n';
  writeFileSync(join(sources, "main.ts"), `${main}process.stdout.write(readFileSync(page));`);
  writeFileSync(join(service, "pages/index.html"), "a page");
});
afterAll(() => rmSync(directory, { recursive: true }));

test("what lies beside the product's sources is found beside the bundle, also by one that is bundled again", async () => {
  const bundle = join(directory, "bundle");
  await bundleApp(sources, bundle);
  const { main } = await bundleApp(sources, bundle);
  expect(execFileSync(process.execPath, [main]).toString()).toBe("a page");
  expect(execFileSync(process.execPath, [join(sources, "main.ts")]).toString()).toBe("a page");
  expect(readdirSync(bundle)).not.toContain("product.ts");
});

test("a file that would take the place of one of the bundle's is refused", async () => {
  writeFileSync(join(service, "boot.mjs"), "");
  const building = bundleApp(sources, join(directory, "refused"));
  await expect(building).rejects.toThrow("app/service/boot.mjs has the name of a file of the bundle");
});
