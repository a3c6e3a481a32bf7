import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, expect, test } from "vitest";

import { type ArchiveFile, writeArchive } from "../../../scripts/build/write-archive.ts";

let directory: string;
let files: ArchiveFile[];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "lifeboat-archive-"));
  const path = join(directory, "program");
  // One byte more than three blocks, so that padding counts.
  writeFileSync(path, Buffer.alloc(3 * 512 + 1, "x"));
  files = [
    { name: "bin/program", executable: true, path },
    { name: "VERSION.json", executable: false, text: "größer\n" },
    { name: "empty", executable: false, text: "" },
  ];
});
afterEach(() => rmSync(directory, { recursive: true }));

test("the same files give the same archive, whatever their order, times and modes on this disk", async () => {
  const first = await writeArchive(join(directory, "one"), files);
  utimesSync(join(directory, "program"), 1, 1);
  chmodSync(join(directory, "program"), 0o600);
  const second = await writeArchive(join(directory, "two"), files.toReversed());
  expect(second).toMatchObject({ sha256: first.sha256, bytes: first.bytes });
});

test.each([
  ["content", { name: "empty", executable: false, text: "." }],
  ["name", { name: "emptx", executable: false, text: "" }],
  ["mode", { name: "empty", executable: true, text: "" }],
])("another %s gives another archive", async (_, changed) => {
  const first = await writeArchive(directory, files);
  const second = await writeArchive(directory, [...files.slice(0, 2), changed]);
  expect(second.sha256).not.toBe(first.sha256);
});

test("it is named by its hash, and nothing else is left behind", async () => {
  const { sha256, bytes, path } = await writeArchive(join(directory, "out"), files);
  expect(createHash("sha256").update(readFileSync(path)).digest("hex")).toBe(sha256);
  expect(statSync(path).size).toBe(bytes);
  expect(readdirSync(join(directory, "out"))).toEqual([`${sha256}.tar.gz`]);
});

test("tar unpacks it without a complaint, with contents and modes", async () => {
  const { path } = await writeArchive(directory, files);
  const target = join(directory, "unpacked");
  mkdirSync(target);
  const said = execFileSync("sh", ["-c", 'umask 022; tar -xzvf "$0" -C "$1" 2>&1', path, target], { encoding: "utf8" });
  expect(said.trim().split("\n")).toEqual(["VERSION.json", "bin/program", "empty"]);
  expect(readFileSync(join(target, "VERSION.json"), "utf8")).toBe("größer\n");
  expect(readFileSync(join(target, "bin/program"))).toHaveLength(3 * 512 + 1);
  expect([statSync(join(target, "bin/program")).mode & 0o777, statSync(join(target, "empty")).mode & 0o777]).toEqual([
    0o755, 0o644,
  ]);
});

test("the gzip header holds no time and no name", async () => {
  const { path } = await writeArchive(directory, files);
  const noFlags = 0;
  expect([...readFileSync(path).subarray(3, 8)]).toEqual([noFlags, 0, 0, 0, 0]);
});

test("a name that a header has no room for is refused, and nothing is left behind", async () => {
  const name = "x".repeat(101);
  await expect(writeArchive(join(directory, "out"), [{ name, executable: false, text: "" }])).rejects.toThrow(
    /longer than 100 bytes/,
  );
  expect(readdirSync(join(directory, "out"))).toEqual([]);
});
