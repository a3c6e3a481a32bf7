import { expect, test } from "vitest";

import type { Bounds } from "../../app/load/bounds.ts";
import { computeFigures, type Figures } from "../../app/load/figures.ts";
import { isCloser, judgeTriggers, type Trigger } from "../../app/load/triggers.ts";

const idle: Figures = { ...computeFigures([]), seconds: 900 };
const same = (each: number) => ({ median: each, least: each, most: each });
const bounds: Bounds = {
  format: 1,
  measuredAt: "2026-11-27T18:00:00.000Z",
  machine: { processor: "a processor", cores: 4 },
  versions: { node: "24.21.0", sqlite: "3.54.1" },
  rounds: 5,
  writesPerSecond: { commit: same(30_000), disk: same(10_000) },
  pointReadsPerSecond: same(150_000),
};
const noon = new Date("2026-11-27T12:00:00.000Z");
const later = new Date("2026-11-27T12:01:00.000Z");

type Scene = { bounds?: Bounds | null; before?: Trigger[]; at?: Date };
const judge = (change: Partial<Figures>, { bounds: known = null, before = [], at = noon }: Scene = {}) =>
  judgeTriggers({ ...idle, ...change }, known, { before, at });
const find = (triggers: readonly Trigger[], name: Trigger["trigger"]) => {
  const found = triggers.find(({ trigger }) => trigger === name);
  if (found === undefined) throw new Error(`no trigger ${name}`);
  return found;
};
const level = (mean: number) => ({ mean, most: 1 });

test("an idle machine is calm in all three, and there is nothing to do", () => {
  const triggers = judge({}, { bounds });
  expect(triggers.map(({ trigger, state, next }) => [trigger, state, next])).toEqual([
    ["servers", "calm", null],
    ["writes", "calm", null],
    ["reports", "calm", null],
  ]);
});

// One step below each edge and on it.
test.each<[Trigger["trigger"], string, below: Partial<Figures>, on: Partial<Figures>, state: Trigger["state"]]>([
  ["servers", "http-thread", { httpThread: level(0.4999) }, { httpThread: level(0.5) }, "near"],
  ["servers", "http-thread", { httpThread: level(0.6999) }, { httpThread: level(0.7) }, "reached"],
  ["servers", "machine-cpu", { machineCpu: level(0.5999) }, { machineCpu: level(0.6) }, "near"],
  ["servers", "machine-cpu", { machineCpu: level(0.7999) }, { machineCpu: level(0.8) }, "reached"],
  ["writes", "measured-bound", { writesPerSecond: level(14_997) }, { writesPerSecond: level(15_000) }, "near"],
  ["writes", "measured-bound", { writesPerSecond: level(20_997) }, { writesPerSecond: level(21_000) }, "reached"],
  ["reports", "reports-ended", { reportsEnded: 0 }, { reportsEnded: 1 }, "near"],
  ["reports", "reports-ended", { reportsEnded: 2 }, { reportsEnded: 3 }, "reached"],
  ["reports", "reports-running", { reportsRunning: 0.2999 }, { reportsRunning: 0.3 }, "near"],
  ["reports", "reports-running", { reportsRunning: 0.5999 }, { reportsRunning: 0.6 }, "reached"],
  ["reports", "slow-readings", { slowReadingsHeld: 0.0019 }, { slowReadingsHeld: 0.002 }, "near"],
  ["reports", "slow-readings", { slowReadingsHeld: 0.0099 }, { slowReadingsHeld: 0.01 }, "reached"],
])("%s by %s changes on its edge and not before: %j, %j", (trigger, measure, below, on, state) => {
  const before = find(judge(below, { bounds }), trigger);
  expect(before.state).toBe(state === "near" ? "calm" : "near");
  const after = find(judge(on, { bounds }), trigger);
  expect([after.state, after.measure]).toEqual([state, measure]);
  expect(after.next).toContain("docs/guide/");
});

test.each<[mean: number, waiting: number, state: Trigger["state"]]>([
  [0.4999, 8, "calm"],
  [0.5, 8, "near"],
  [0.6999, 8, "near"],
  [0.7, 8, "reached"],
  // A few clients that write without a pause: others would share their commits.
  [1, 4, "calm"],
  [1, 4.1, "reached"],
])("a writer at work for %f of the time with %f writes waiting is %s, without any bounds", (mean, waiting, state) => {
  const found = find(judge({ writerCpu: level(mean), writesWaiting: waiting }), "writes");
  expect([found.state, found.measure]).toEqual([state, "writer-cpu"]);
});

test("a writer's work that does not count is told, too", () => {
  const [many = "", few = ""] = [5, 4].map(
    (writesWaiting) => find(judge({ writerCpu: level(0.6), writesWaiting }), "writes").why,
  );
  expect(many).toContain("the writer worked 60 % of the time, and more than 4 writes waited on average; it is near");
  expect(few).toContain("no more than 4 writes waited on average, so the writer's work (60 %) does not count; it is");
});

test("a mix of durabilities has the bound of its mix", () => {
  const values = [0, 1, 0.5].map(
    (diskShare) => find(judge({ writesPerSecond: level(5_000), diskShare }, { bounds }), "writes").value,
  );
  expect(values).toEqual([0.1667, 0.5, 0.3333]);
});

test("the worst measure of a trigger decides, and says in a sentence why and what next", () => {
  const { measure, why, value, near, bound, next } = find(
    judge({ httpThread: level(0.55), machineCpu: level(0.85) }),
    "servers",
  );
  expect([measure, value, near, bound]).toEqual(["machine-cpu", 0.85, 0.6, 0.8]);
  expect(why).toBe(
    "In the last 15 minutes the machine's cores were busy 85 % of the time; it is near from 60 % on, and reached from 80 % on.",
  );
  expect(next).toMatch(/^Look what else runs there, .* several servers: docs\/guide\/cloud\.md, "When to leave"\.$/);
});

test("a share is judged from five minutes on, an ended report at once", () => {
  const loaded = { httpThread: level(1), reportsRunning: 1, seconds: 299 };
  expect(judge(loaded).map(({ state }) => state)).toEqual(["calm", "calm", "calm"]);
  expect(find(judge(loaded), "servers").why).toContain("was busy 100 % of the time; it is judged from 5 minutes on");
  expect(judge({ ...loaded, seconds: 300 }).map(({ state }) => state)).toEqual(["reached", "calm", "reached"]);
  expect(find(judge({ reportsEnded: 3, seconds: 5 }), "reports").state).toBe("reached");
});

test("a state is left a tenth below its edge, and tells since when it stands", () => {
  const first = judge({ httpThread: level(0.72) });
  const stays = judge({ httpThread: level(0.63) }, { before: first, at: later });
  const leaves = judge({ httpThread: level(0.6299) }, { before: first, at: later });
  expect(find(stays, "servers")).toMatchObject({ state: "reached", since: noon.toISOString() });
  expect(find(leaves, "servers")).toMatchObject({ state: "near", since: later.toISOString() });
  expect(find(leaves, "servers").lastReached).toBe(noon.toISOString());
  const calm = judge({ httpThread: level(0.4499) }, { before: leaves, at: later });
  expect(find(calm, "servers")).toMatchObject({
    state: "calm",
    lastNear: later.toISOString(),
    lastReached: noon.toISOString(),
  });
  // A machine that was never near goes the other way by the edge itself.
  expect(find(judge({ httpThread: level(0.63) }), "servers").state).toBe("near");
});

test("only what comes closer is told", () => {
  const near = find(judge({ httpThread: level(0.6) }), "servers");
  const reached = find(judge({ httpThread: level(0.9) }), "servers");
  const calm = find(judge({}), "servers");
  expect([isCloser(near, undefined), isCloser(calm, undefined)]).toEqual([true, false]);
  expect([isCloser(reached, near), isCloser(near, reached), isCloser(near, near)]).toEqual([true, false, false]);
});
