import { rmSync } from "node:fs";
import { createServer } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

import { afterAll, beforeAll, expect, test } from "vitest";

import { waitFor } from "../../app/cli/wait-for.ts";
import { CommitFeed } from "../../app/database/commit-feed.ts";
import { neverAsked } from "../../app/http/product-routes.ts";
import { buildServer } from "../../app/http/server.ts";
import { listingInspection } from "../../app/replica/inspections.ts";
import { LitestreamWatch } from "../../app/replica/litestream-watch.ts";
import { listenOnLoopback } from "../../scripts/local/listen-on-loopback.ts";
import { idleReports, idleViews } from "../http/controlled-replication.ts";
import { pagesProduct } from "../product/pages.ts";
import { recordLog } from "../recorded-log.ts";
import { litestreamPid } from "./litestream-pid.ts";
import type { TestMachine } from "./test-machine.ts";
import { World } from "./world.ts";

const limits = { silentMs: 1_000, pausesMs: [20_000] } as const;
const patientMs = 60_000;

let world: World;
beforeAll(async () => {
  world = await World.open();
});
afterAll(() => world[Symbol.asyncDispose]());

const faults: [fault: string, hurt: (machine: TestMachine) => Promise<void>][] = [
  ["hangs", async ({ machine }) => void process.kill(await litestreamPid(machine.files.litestreamSocket), "SIGSTOP")],
  ["lost its local directory", async ({ machine }) => rmSync(machine.files.litestreamState, { recursive: true })],
];

test.each(faults)(
  "a Litestream that %s is reported once and killed, and bucket works again without a lost row",
  async (_, hurt) => {
    const site = await world.makeSite();
    const machine = world.newMachine(site);
    await machine.boot();
    await using life = await machine.live([listingInspection(site.bucket, 500)], limits);
    life.write("one", "two");
    await life.replicate(patientMs);
    await hurt(machine);
    life.write("three");
    await life.replicate(patientMs);
    life.write("four");
    await life.replicate(patientMs);
    const events = life.logged.map(({ event }) => event);
    expect(events.filter((event) => event === "nothing reached the bucket for too long")).toHaveLength(1);
    expect(events.filter((event) => event === "Litestream uploads again")).toHaveLength(1);
    await life.crash();
    machine.loseDisk();
    expect(await machine.boot()).toMatchObject({ outcome: "claimed", content: "restored" });
    expect(machine.texts()).toEqual(["one", "two", "three", "four"]);
  },
  120_000,
);

test("the heartbeat URL is called only while real syncs are checked: not under a frozen Litestream, nor after a fence", async () => {
  const site = await world.makeSite();
  const machine = world.newMachine(site);
  await machine.boot();
  await using life = await machine.live();
  let calls = 0;
  await using monitor = await listenOnLoopback(
    createServer((_request, response) => response.end(String((calls += 1)))),
  );
  const heartbeat = { url: `${monitor.url}/a-secret`, everyMs: 100, withinMs: 1_000 };
  const server = buildServer({
    product: pagesProduct,
    writer: { state: "accepting", queueLength: 0, walBytes: 0, oldestWriteMs: null, cause: null, execute: refuse },
    reader: { read: refuse },
    reports: idleReports,
    replication: life.replication,
    ...idleViews,
    commits: new CommitFeed(),
    files: neverAsked.files,
    config: { tokenDigests: [], defaultDurability: "disk", bucketTimeoutMs: 1_000, heartbeat },
  });
  await using _server = { [Symbol.asyncDispose]: () => server.close() };
  await server.listen({ port: 0, host: "127.0.0.1" });
  const traffic = setInterval(() => {
    life.write("again");
    life.replicate(patientMs).catch(() => undefined);
  }, 100);
  using _traffic = { [Symbol.dispose]: () => clearInterval(traffic) };
  const arrives = () => {
    const enough = calls + 3;
    return waitFor("three heartbeats", async () => (calls >= enough ? true : null), { timeoutMs: patientMs });
  };
  const staysQuiet = async () => {
    const before = calls;
    await sleep(2_000);
    expect(calls).toBe(before);
  };

  await arrives();
  const pid = await litestreamPid(machine.machine.files.litestreamSocket);
  process.kill(pid, "SIGSTOP");
  await sleep(heartbeat.withinMs + 500);
  await staysQuiet();
  process.kill(pid, "SIGCONT");
  await arrives();

  await world.newMachine(site).boot();
  await life.fenced;
  await sleep(500);
  await staysQuiet();
}, 120_000);

function refuse(): never {
  throw new Error("nobody asks for data here");
}

test("a Litestream is left alone while the store itself fails, and killed once a pause when it does not", async () => {
  const kills: string[] = [];
  const { log, logged } = recordLog();
  let storeAnswers = false;
  const watch = new LitestreamWatch({
    limits: { silentMs: 0, pausesMs: [60_000] },
    askStore: () => (storeAnswers ? Promise.resolve() : Promise.reject(new Error("down"))),
    kill: async () => [kills.push("kill")],
    log,
  });
  const fail = (message: string) =>
    expect(watch.observe(() => Promise.reject(new Error(message)))).rejects.toThrow(message);
  await fail("no answer in 15000 ms");
  storeAnswers = true;
  await fail("operation error S3: PutObject, StatusCode: 403, AccessDenied");
  expect(kills).toEqual([]);
  await fail("no answer in 15000 ms");
  await fail("no answer in 15000 ms");
  expect(kills).toEqual(["kill"]);
  await watch.observe(() => Promise.resolve());
  expect(logged.map(({ level, event }) => [level, event])).toEqual([
    ["warn", "nothing reached the bucket for too long"],
    ["warn", "Litestream does not upload though the store answers, and is killed"],
    ["info", "Litestream uploads again"],
  ]);
});

test("no sync waits for the store's listing: its fault is told at once, and Litestream is judged beside it", async () => {
  const { log, logged } = recordLog();
  const asked: PromiseWithResolvers<void>[] = [];
  let kills = 0;
  const watch = new LitestreamWatch({
    limits: { silentMs: 0, pausesMs: [0] },
    askStore: () => {
      const answer = Promise.withResolvers<void>();
      asked.push(answer);
      return answer.promise;
    },
    kill: async () => {
      kills += 1;
      throw new Error("no such process");
    },
    log,
  });
  const fail = () => expect(watch.observe(() => Promise.reject(new Error("late")))).rejects.toThrow("late");
  await fail();
  await fail();
  expect([asked.length, kills]).toEqual([1, 0]);
  // What works again is not killed by a judgement that was under way.
  await watch.observe(() => Promise.resolve());
  await sleep(50);
  asked[0]?.resolve();
  await sleep(50);
  expect(kills).toBe(0);
  // The silence has to be longer than the listing.
  await fail();
  await sleep(50);
  asked[1]?.reject(new Error("down"));
  await sleep(0);
  await fail();
  asked[2]?.resolve();
  await sleep(0);
  expect([asked.length, kills]).toEqual([3, 1]);
  expect(logged.map(({ event }) => event)).toContain("a Litestream that does not upload cannot be killed");
});
