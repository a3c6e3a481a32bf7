import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { execPath } from "node:process";

import { expect, test } from "vitest";

import { makeTemporaryDirectory } from "./temporary-directory.ts";

const canTrace = spawnSync("strace", ["-f", "true"]).status === 0;

test.skipIf(!canTrace)(
  "a disk write is on the disk before its answer, a commit write costs no fsync (needs strace)",
  () => {
    using directory = makeTemporaryDirectory();
    const tracePath = join(directory.path, "trace");
    const script = join(import.meta.dirname, "children/durability-trace.ts");
    const durabilities = ["commit", "disk", "commit", "disk", "disk", "commit"];
    const traced = [execPath, script, join(directory.path, "app.db"), ...durabilities];
    execFileSync("strace", ["-f", "-y", "-e", "trace=fsync,fdatasync,write", "-o", tracePath, ...traced], {
      timeout: 60_000,
    });
    expect(durabilities.map((_, index) => countWalSyncs(readFileSync(tracePath, "utf8"), index))).toEqual([
      0, 1, 0, 1, 1, 0,
    ]);
  },
  90_000,
);

function countWalSyncs(trace: string, index: number): number {
  const between = trace.split(`"begin ${index}\\n"`)[1]?.split(`"end ${index}\\n"`)[0] ?? "";
  return between.split("\n").filter((line) => /f(?:data)?sync\(.*app\.db-wal/.test(line)).length;
}
