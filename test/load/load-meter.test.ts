import { setTimeout as sleep } from "node:timers/promises";

import { Check } from "typebox/value";
import { expect, test } from "vitest";

import { waitFor } from "../../app/cli/wait-for.ts";
import { describeMachine, type KnownBounds } from "../../app/load/bounds.ts";
import { Load } from "../../app/load/load.ts";
import type { Trigger } from "../../app/load/triggers.ts";
import { startTestServer, type TestServer } from "../http/test-server.ts";
import { reportsProduct } from "../product/reports.ts";

const runnerUrl = new URL("../product/report-runner.ts", import.meta.url);
const minute = 60_000;

const unmeasured: KnownBounds = { bounds: null, fault: null };
const slow = { median: 0.1, least: 0.1, most: 0.1 };
/** A machine that can do a write in ten seconds. */
const slowMachine: KnownBounds = {
  bounds: {
    format: 1,
    measuredAt: "2026-11-27T11:00:00.000Z",
    machine: describeMachine(),
    versions: { node: "24.21.0", sqlite: "3.54.1" },
    rounds: 5,
    writesPerSecond: { commit: slow, disk: slow },
    pointReadsPerSecond: slow,
  },
  fault: null,
};

/** A server of the reports, and a clock that stands still until it is told. */
async function startMeasured({ runMs = 60_000, bounds = unmeasured } = {}) {
  let nowMs = Date.parse("2026-11-27T12:00:00.000Z");
  const server = await startTestServer(
    {},
    { product: reportsProduct, runnerUrl, reports: { runMs }, load: { nowMs: () => nowMs, bounds } },
  );
  /** Lets minutes pass and takes the sample that ends them. */
  const judgeAfter = (minutes: number, name: Trigger["trigger"]): Trigger => {
    nowMs += minutes * minute;
    server.load.sample();
    const found = server.load.describe().triggers.find(({ trigger }) => trigger === name);
    if (found === undefined) throw new Error(`no trigger ${name}`);
    return found;
  };
  // The computer may be busy with other tests, which is true of another trigger.
  const countLines = (message: string) =>
    server.log.filter((line) => line.includes('"trigger":"reports"') && line.includes(`"msg":"${message}"`)).length;
  return { server, judgeAfter, countLines, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

/** Clients that each write and wait for the answer, until they are told to end. */
function keepWriting({ writer }: TestServer, clients: number): () => Promise<void> {
  const over = new AbortController();
  const words = "x".repeat(2_000);
  const all = Array.from({ length: clients }, async (_, client) => {
    for (let count = 0; !over.signal.aborted; count += 1)
      await writer.execute("add-page", { title: `${client}-${count}`, words }, { durability: "commit" });
  });
  return async () => {
    over.abort();
    await Promise.all(all);
  };
}

test("writes near their bound reach the trigger, and are calm again a quarter of an hour after the last", async () => {
  await using measured = await startMeasured({ bounds: slowMachine });
  const { server, judgeAfter } = measured;
  expect(judgeAfter(1, "writes")).toMatchObject({ state: "calm", measure: "measured-bound", value: 0 });
  const end = keepWriting(server, 64);
  const reached = await waitFor(
    "writes above the bound",
    async () => {
      await sleep(300);
      server.load.sample();
      await sleep(10);
      const trigger = judgeAfter(5, "writes");
      return trigger.state === "reached" ? trigger : null;
    },
    { timeoutMs: 20_000 },
  );
  await end();
  expect(reached.why).toMatch(/writes a second were .* % of the 0.1 that this machine can do/);
  const { window, bounds } = server.load.describe();
  // What the thread and its queue tell of such a load.
  expect(window.writerThread.mean).toBeGreaterThan(0.2);
  expect(window.writerCpu.mean).toBeGreaterThan(0);
  expect(window.writesWaiting).toBeGreaterThan(4);
  expect(window.diskShare).toBe(0);
  expect(bounds).toEqual(slowMachine.bounds);
  judgeAfter(15, "writes");
  expect(judgeAfter(15, "writes")).toMatchObject({ state: "calm", lastReached: expect.any(String) });
});

test("reports that a limit ends come near and reach the trigger, and each is logged once", async () => {
  await using measured = await startMeasured({ runMs: 500 });
  const { server, judgeAfter, countLines } = measured;
  const endOne = async () => expect((await server.call("GET", "/endless")).status).toBe(503);
  expect((await server.call("GET", "/sum?most=10")).status).toBe(200);
  expect(judgeAfter(1, "reports")).toMatchObject({ state: "calm", value: 0 });
  await endOne();
  const first = judgeAfter(1, "reports");
  expect(first).toMatchObject({ state: "near", measure: "reports-ended", value: 1 });
  expect(judgeAfter(1, "reports").since).toBe(first.since);
  expect(countLines("a trigger to leave is near")).toBe(1);
  await endOne();
  await endOne();
  expect(judgeAfter(1, "reports")).toMatchObject({ state: "reached", value: 3 });
  judgeAfter(1, "reports");
  expect([countLines("a trigger to leave is near"), countLines("a trigger to leave is reached")]).toEqual([1, 1]);
  judgeAfter(15, "reports");
  expect(judgeAfter(1, "reports")).toMatchObject({ state: "calm", value: 0 });
  // Each report that is ended costs the start of a process, which takes seconds on a busy computer.
}, 90_000);

test("readings that hold up all others reach the trigger of reports", async () => {
  await using measured = await startMeasured();
  const { server, judgeAfter } = measured;
  const reached = await waitFor(
    "slow readings",
    async () => {
      await server.call("GET", "/sum-here?most=5000000");
      const trigger = judgeAfter(5, "reports");
      return trigger.state === "calm" ? null : trigger;
    },
    { timeoutMs: 25_000 },
  );
  expect(reached.measure).toBe("slow-readings");
  expect(reached.why).toMatch(/ slow readings held up every other request /);
});

test("a thread that answers requests and has no time for others reaches the trigger of servers", async () => {
  await using measured = await startMeasured();
  const { judgeAfter } = measured;
  const untilMs = performance.now() + 1_000;
  while (performance.now() < untilMs);
  const trigger = judgeAfter(5, "servers");
  expect([trigger.state, trigger.measure]).toEqual(["reached", "http-thread"]);
});

test("GET /load shows what its schema says, from samples of its own", async () => {
  await using server = await startTestServer();
  server.load.start();
  await server.writer.execute("add-page", { title: "one" }, { durability: "disk" });
  server.load.sample();
  const { status, body } = await server.call("GET", "/load");
  server.load.stop();
  expect([status, Check(Load, body)]).toEqual([200, true]);
  expect(body).toMatchObject({ window: { diskShare: 1 }, bounds: null, boundsFault: null });
});

test("the samples of a window are all that is kept", async () => {
  await using measured = await startMeasured();
  const { server, judgeAfter } = measured;
  for (let count = 0; count < 500; count += 1) judgeAfter(1 / 12, "writes");
  expect(server.load.describe().window.seconds).toBe(900);
});
