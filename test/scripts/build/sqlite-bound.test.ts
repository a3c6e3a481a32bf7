import { writeFileSync } from "node:fs";
import { join } from "node:path";

import { expect, test } from "vitest";

import { resolveBinary } from "../../../scripts/build/resolve-binary.ts";
import {
  readEmbeddedSqliteVersion,
  readOwnSqliteVersion,
  requireSafeSqlite,
} from "../../../scripts/build/sqlite-bound.ts";
import { makeSandbox } from "./fake-binary.ts";

test("the SQLite of better-sqlite3 is past the WAL-reset bug", () => {
  expect(() => requireSafeSqlite("better-sqlite3", readOwnSqliteVersion())).not.toThrow();
});

test("the SQLite inside the pinned Litestream is past the WAL-reset bug", async () => {
  const version = await readEmbeddedSqliteVersion(await resolveBinary("litestream"));
  expect(version).toBe("3.53.0");
  expect(() => requireSafeSqlite("Litestream", version)).not.toThrow();
});

test.each(["3.7.0", "3.51.2", "3.9.99", "2.99.99"])("SQLite %s is refused", (version) => {
  expect(() => requireSafeSqlite("Litestream", version)).toThrow(`Litestream holds SQLite ${version}`);
});

test.each(["3.51.3", "3.52.0", "3.100.0", "4.0.0"])("SQLite %s is accepted", (version) => {
  expect(() => requireSafeSqlite("Litestream", version)).not.toThrow();
});

test.each([
  ["a version between unprintable bytes", "\x00\x013.51.2\x00", "3.51.2"],
  ["a version at the end of the file", "\x003.53.0", "3.53.0"],
  ["the oldest of several", "\x003.53.0\x003.9.1\x00", "3.9.1"],
  ["no part of a longer text", "\x00v3.1.0\x003.2.0-beta\x00 3.3.0\x003.53.0\x00", "3.53.0"],
])("reads %s", async (_claim, content, version) => {
  using sandbox = makeSandbox();
  const path = join(sandbox.path, "binary");
  writeFileSync(path, content, "latin1");
  expect(await readEmbeddedSqliteVersion(path)).toBe(version);
});

test("a binary that names no SQLite version is refused", async () => {
  using sandbox = makeSandbox();
  const path = join(sandbox.path, "binary");
  writeFileSync(path, "version 3.53.0 in a sentence");
  await expect(readEmbeddedSqliteVersion(path)).rejects.toThrow("names no SQLite version");
});
