import { appendFileSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import { expect, test, vi } from "vitest";

import { watchSources } from "../../../scripts/dev/watch-sources.ts";

test("what changes during a restart is told after it, all of it", async () => {
  using scratch = makeScratch("product.ts", "boot/limits.ts");
  const { folder } = scratch;
  const told: (readonly string[])[] = [];
  const restart = Promise.withResolvers<void>();
  await using _watcher = await watchSources(folder, (paths) => {
    told.push(paths);
    return restart.promise;
  });
  writeFileSync(join(folder, "product.ts"), "1");
  await vi.waitFor(() => expect(told).toEqual([["product.ts"]]), 5_000);
  writeFileSync(join(folder, "boot/limits.ts"), "1");
  await new Promise((resolve) => setTimeout(resolve, 300));
  writeFileSync(join(folder, "product.ts"), "2");
  writeFileSync(join(folder, "product.ts.swp"), "2");
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(told.length).toBe(1);
  restart.resolve();
  await vi.waitFor(() => expect(told.length).toBe(2), 5_000);
  expect(told[1]).toEqual(["boot/limits.ts", "product.ts"]);
});

test("a file that an editor replaced twice is still watched, and so are a new folder and a folder put in place of another", async () => {
  using scratch = makeScratch("a.ts", "boot/b.ts");
  const { folder } = scratch;
  const told: string[] = [];
  await using _watcher = await watchSources(folder, async (paths) => void told.push(...paths));
  const expectTold = async (path: string) => {
    await vi.waitFor(() => expect(told).toContain(path), 5_000);
    told.length = 0;
  };
  for (const path of ["a.ts", "boot/b.ts"]) {
    for (const content of ["1", "2"]) {
      writeFileSync(join(folder, `${path}~`), content);
      renameSync(join(folder, `${path}~`), join(folder, path));
      await expectTold(path);
    }
    appendFileSync(join(folder, path), "3");
    await expectTold(path);
  }
  mkdirSync(join(folder, "jobs"));
  await new Promise((resolve) => setTimeout(resolve, 300));
  writeFileSync(join(folder, "jobs/c.ts"), "1");
  await expectTold("jobs/c.ts");
  // A checkout of another branch replaces a folder.
  rmSync(join(folder, "boot"), { recursive: true });
  await expectTold("boot/b.ts");
  mkdirSync(join(folder, "boot"));
  writeFileSync(join(folder, "boot/b.ts"), "4");
  await expectTold("boot/b.ts");
});

test("every file that a release would carry is told, and no temporary file of an editor", async () => {
  using scratch = makeScratch();
  const { folder } = scratch;
  const told: string[] = [];
  await using _watcher = await watchSources(folder, async (paths) => void told.push(...paths));
  const carried = ["a.ts", "font.woff2", "logo.svg", "page.html", "photo.PNG", "site.webmanifest"];
  const temporary = [".a.ts.swp", ".#a.ts", "#a.ts#", "a.ts~", "a.ts.tmp", "a.ts___jb_tmp___", "4913", "a.ts.swx"];
  for (const name of [...temporary, ...carried]) writeFileSync(join(folder, name), "1");
  await vi.waitFor(() => expect(told).toContain("site.webmanifest"), 5_000);
  expect(told.toSorted()).toEqual(carried);
});

function makeScratch(...paths: string[]) {
  const folder = mkdtempSync(join(tmpdir(), "lifeboat-watch-"));
  for (const path of paths) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), "0");
  }
  return { folder, [Symbol.dispose]: () => rmSync(folder, { recursive: true }) };
}
