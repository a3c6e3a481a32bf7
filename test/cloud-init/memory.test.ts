import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { expect, test } from "vitest";

import { waitFor } from "../../scripts/cli/wait-for.ts";
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

test("a rehearsal that the app starts is not spared as the app is", async ({ skip }) => {
  skip(process.platform !== "linux", "Linux kills by oom_score_adj");
  const rehearsal = spawn(process.execPath, ["app/rehearse.ts"], { cwd: root, stdio: ["pipe", "ignore", "ignore"] });
  try {
    const read = async () =>
      readFileSync(`/proc/${rehearsal.pid}/oom_score_adj`, "utf8").trim() === "900" ? true : null;
    await waitFor("the rehearsal's oom_score_adj", read, { timeoutMs: 20_000 });
  } finally {
    rehearsal.kill("SIGKILL");
    await once(rehearsal, "close");
  }
});

test("no unit takes all the memory, dumps it, or lets it be swapped out", () => {
  for (const unit of units) {
    expect(readUnit(unit, "MemoryMax"), unit).toEqual([expect.stringMatching(/^(\d+M|[1-8]\d%)$/)]);
    expect([...readUnit(unit, "LimitCORE"), ...readUnit(unit, "MemorySwapMax")], unit).toEqual(["0", "0"]);
  }
});
