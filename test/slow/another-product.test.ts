import { execFileSync, spawn } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { text } from "node:stream/consumers";

import { afterAll, beforeAll, expect, test } from "vitest";

const timeout = 600_000;
const root = join(import.meta.dirname, "../..");
const directory = mkdtempSync(join(tmpdir(), "lifeboat-product-"));

// The repository as git has it, after what the guide says was done to it.
beforeAll(() => {
  const guide = readFileSync(join(root, "docs/guide/your-product.md"), "utf8");
  const [commands = ""] = /^git rm .*$/m.exec(guide) ?? [];
  const removed = commands.split(" ").slice(3);
  const [, product = ""] = /^```ts\n(.*?)^```$/ms.exec(guide) ?? [];
  expect(removed).toContain("app/service");
  for (const path of listFiles()) {
    if (removed.some((gone) => path === gone || path.startsWith(`${gone}/`))) continue;
    mkdirSync(dirname(join(directory, path)), { recursive: true });
    cpSync(join(root, path), join(directory, path), { verbatimSymlinks: true });
  }
  mkdirSync(join(directory, "app/service"));
  writeFileSync(join(directory, "app/service/product.ts"), product);
  symlinkSync(join(root, "node_modules"), join(directory, "node_modules"));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

test.each([
  ["its format", ["oxfmt", "--check", "app"]],
  ["its types", ["tsc"]],
  ["lint", ["oxlint", "--type-aware", "--deny-warnings"]],
  ["the search for what is unused", ["knip"]],
  [
    "the tests of structure, server and build",
    [...fastTests(), "test/structure.test.ts", "test/product", "test/build"],
  ],
  ["the release test", [...fastTests(), "--mode", "slow", "test/slow/release.test.ts"]],
  ["the build", ["node", "scripts/build.ts"]],
  ["the drill", ["node", "scripts/drill.ts"]],
])("with the guide's product in the place of the example, %s passes", { timeout }, async (_, [name = "", ...words]) => {
  const { code, said } = await run(name, words);
  expect(said.slice(-3_000)).not.toContain("billing");
  expect(code, said.slice(-3_000)).toBe(0);
});

function fastTests(): string[] {
  return ["vitest", "run", "--config", "test/vitest.config.ts"];
}

function listFiles(): string[] {
  const listed = execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], { cwd: root });
  const deleted = execFileSync("git", ["ls-files", "-z", "--deleted"], { cwd: root }).toString().split("\0");
  return [...new Set(listed.toString().split("\0"))].filter((path) => path !== "" && !deleted.includes(path));
}

async function run(name: string, words: readonly string[]) {
  const path = `${join(root, "node_modules/.bin")}:${process.env["PATH"] ?? ""}`;
  const child = spawn(name, words, { cwd: directory, env: { ...process.env, PATH: path } });
  const exit = new Promise<number | null>((resolve) => child.once("close", resolve));
  const [out, error] = await Promise.all([text(child.stdout), text(child.stderr)]);
  return { code: await exit, said: `${out}\n${error}` };
}
