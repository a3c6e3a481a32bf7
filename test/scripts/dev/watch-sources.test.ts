import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { expect, test, vi } from "vitest";

import { watchSources } from "../../../scripts/dev/watch-sources.ts";

test("what changes during a restart is told after it, all of it", async () => {
  const folder = mkdtempSync(join(tmpdir(), "lifeboat-watch-"));
  mkdirSync(join(folder, "boot"));
  const told: (readonly string[])[] = [];
  const restart = Promise.withResolvers<void>();
  const watcher = watchSources(folder, (paths) => {
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
  watcher[Symbol.dispose]();
  rmSync(folder, { recursive: true });
});

test("every file that a release would carry is told, and no temporary file of an editor", async () => {
  const folder = mkdtempSync(join(tmpdir(), "lifeboat-watch-"));
  const told: string[] = [];
  const watcher = watchSources(folder, async (paths) => void told.push(...paths));
  const carried = ["a.ts", "font.woff2", "logo.svg", "page.html", "photo.PNG", "site.webmanifest"];
  const temporary = [".a.ts.swp", ".#a.ts", "#a.ts#", "a.ts~", "a.ts.tmp", "a.ts___jb_tmp___", "4913", "a.ts.swx"];
  for (const name of [...temporary, ...carried]) writeFileSync(join(folder, name), "1");
  await vi.waitFor(() => expect(told).toContain("site.webmanifest"), 5_000);
  expect(told.toSorted()).toEqual(carried);
  watcher[Symbol.dispose]();
  rmSync(folder, { recursive: true });
});
