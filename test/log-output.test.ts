import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";

import { expect, test } from "vitest";

const endings = ["exit", "failure", "exit-while-writing", "flush", "kill-later", "by-itself"];
const cases = endings.flatMap((ending) => [3, 40_000].map((count) => ({ ending, count })));

test.each(cases)("every one of $count lines is in the log after: $ending", async ({ ending, count }) => {
  const lines = await readLog(ending, count);
  const expected = ending === "exit-while-writing" ? count + 5 : count;
  // A write that has begun may end after the rest that an exit writes.
  expect(lines.map(({ line = -1 }) => line).toSorted((left, right) => left - right)).toEqual(
    Array.from({ length: expected }, (_, line) => line),
  );
});

test("when nobody reads, lines about requests are dropped and counted, and every other line stays", async () => {
  const count = 400_000;
  const lines = await readLog("by-itself", count, 1_500);
  const others = lines.filter(({ msg }) => msg === "something else");
  expect(others).toHaveLength(Math.floor(count / 7));
  const told = lines.filter(({ lines: dropped }) => dropped !== undefined);
  const dropped = told.reduce((sum, { lines: some = 0 }) => sum + some, 0);
  expect(dropped).toBeGreaterThan(1_000);
  expect(lines.length - told.length + dropped).toBe(count);
});

type Line = { line?: number; msg?: string; lines?: number };

/** What a child writes that ends in this way, read only after a pause. */
async function readLog(ending: string, count: number, pauseMs = 0): Promise<Line[]> {
  const child = spawn(process.execPath, [`${import.meta.dirname}/log-writer.ts`, ending, String(count)], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  await sleep(pauseMs);
  const written = await text(child.stdout);
  return written
    .trim()
    .split("\n")
    .map((line): Line => JSON.parse(line));
}
