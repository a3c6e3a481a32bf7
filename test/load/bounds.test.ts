import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { expect, test } from "vitest";

import { type Bounds, describeMachine, readBounds, writeBounds } from "../../app/load/bounds.ts";
import { makeTemporaryDirectory } from "../database/temporary-directory.ts";

const spread = { median: 2, least: 1, most: 3 };
const bounds: Bounds = {
  format: 1,
  measuredAt: "2026-11-27T18:00:00.000Z",
  machine: describeMachine(),
  versions: { node: "24.21.0", sqlite: "3.54.1" },
  rounds: 5,
  writesPerSecond: { commit: spread, disk: spread },
  pointReadsPerSecond: spread,
};

test("stored bounds are read again, and a machine that was never measured has none", () => {
  using directory = makeTemporaryDirectory();
  const path = join(directory.path, "bounds.json");
  expect(readBounds(path)).toEqual({ bounds: null, fault: null });
  writeBounds(path, bounds);
  expect(readBounds(path)).toEqual({ bounds, fault: null });
});

test("the bounds of another machine do not hold: the volume has outlived it", () => {
  using directory = makeTemporaryDirectory();
  const path = join(directory.path, "bounds.json");
  writeBounds(path, bounds);
  const { cores, processor } = bounds.machine;
  for (const here of [
    { processor, cores: cores + 1 },
    { processor: "another one", cores },
  ]) {
    const known = readBounds(path, here);
    expect(known.bounds).toBe(null);
    expect(known.fault).toBe(`${path} was measured on another machine (${cores} cores of ${processor}); measure again`);
  }
});

test("damaged bounds are told by their path and what to do, whatever the damage", () => {
  using directory = makeTemporaryDirectory();
  const path = join(directory.path, "bounds.json");
  writeBounds(path, bounds);
  const text = readFileSync(path, "utf8");
  const damages = [
    "",
    text.slice(0, -20),
    text.replace('"format": 1', '"format": 2'),
    text.replace('"median": 2', '"median": 0'),
    text.replace('"median": 2', '"median": "2"'),
    text.replace('"rounds"', '"round"'),
  ];
  for (const damage of damages) {
    expect(damage).not.toBe(text);
    writeFileSync(path, damage);
    const known = readBounds(path);
    expect(known.bounds).toBe(null);
    expect(known.fault).toContain(path);
    expect(known.fault).toMatch(/; delete it, or measure again$/);
  }
  const folder = join(directory.path, "folder");
  mkdirSync(folder);
  expect(readBounds(folder).fault).toMatch(/folder cannot be read \(EISDIR.*\); delete it, or measure again$/);
});
