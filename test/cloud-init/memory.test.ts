import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { expect, test } from "vitest";

import { waitFor } from "../../app/cli/wait-for.ts";
import { readUnit } from "./read-unit.ts";

const root = join(import.meta.dirname, "../..");
const units = readdirSync(join(root, "cloud-init/release/systemd")).filter((name) => name.endsWith(".service"));

const score = (unit: string) => Number(readUnit(unit, "OOMScoreAdjust")[0]);

test("the kernel kills what serves nobody first, then the edge, then Litestream, and the writer last", () => {
  expect(units.filter((unit) => Number.isNaN(score(unit)))).toEqual([]);
  const [writer, replicator, ...others] = units.toSorted((left, right) => score(left) - score(right));
  expect([writer, replicator]).toEqual(["app.service", "litestream.service"]);
  for (const unit of others.filter((name) => name !== "boot.service")) expect(score(unit), unit).toBeGreaterThan(0);
});

test("a helper of the app that is killed does not stop the app", () => {
  expect(readUnit("app.service", "OOMPolicy")).toEqual(["continue"]);
});

const report = JSON.stringify({ databasePath: "no.db", memoryBytes: 1e9, answerBytes: 1 });
test.for([
  { helper: "report", expected: "950", words: ["app/report-runner.ts", report] },
  { helper: "rehearsal", expected: "900", words: ["app/rehearse.ts"] },
])("a $helper that the app starts is not spared as the app is", async ({ expected, words }, { skip }) => {
  skip(process.platform !== "linux", "Linux kills by oom_score_adj");
  const helper = spawn(process.execPath, words, { cwd: root, stdio: ["pipe", "ignore", "ignore", "ipc"] });
  const scores = new Set<string>();
  const ended = once(helper, "close");
  try {
    const read = async () => {
      scores.add(readFileSync(`/proc/${helper.pid}/oom_score_adj`, "utf8").trim());
      return scores.has(expected) ? true : null;
    };
    await waitFor(`the score ${expected}`, read, { timeoutMs: 20_000, everyMs: 5 });
  } finally {
    helper.kill("SIGKILL");
    await ended;
  }
});

test("the helpers of the app may give way to it: without this call nice(1) has no effect", () => {
  const filters = readUnit("app.service", "SystemCallFilter");
  const denied = filters.findIndex((filter) => filter.startsWith("~") && filter.includes("@resources"));
  expect(denied).toBeGreaterThan(0);
  // What comes later counts.
  expect(filters.slice(denied + 1)).toContain("setpriority");
});

test("no unit takes all the memory, dumps it, or lets it be swapped out", () => {
  for (const unit of units) {
    expect(readUnit(unit, "MemoryMax"), unit).toEqual([expect.stringMatching(/^(\d+M|[1-8]\d%)$/)]);
    expect([...readUnit(unit, "LimitCORE"), ...readUnit(unit, "MemorySwapMax")], unit).toEqual(["0", "0"]);
  }
});
