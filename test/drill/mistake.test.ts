import { expect, test } from "vitest";

import { DrillProcess } from "./drill-process.ts";

const timeout = 300_000;

test("a wrong delete is taken back to the row, and the way back is taken back too", { timeout }, async () => {
  using drill = new DrillProcess(["--story", "mistake", "--json", "--seed", "7"]);
  expect(await drill.exited, drill.stderr).toBe(0);
  const report: unknown = JSON.parse(drill.stdout);
  expect(report).toMatchObject({
    ok: true,
    restored: { differing: [] },
    undone: { differing: [] },
    restoredAgain: { differing: [] },
    failures: [],
  });
  expect(Object(report).deleted).toBeGreaterThan(100);
  expect(Object(report).restored.rows).toBeGreaterThan(100);
  expect(drill.listLeftovers()).toEqual([]);
});
