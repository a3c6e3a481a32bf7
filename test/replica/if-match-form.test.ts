import { existsSync } from "node:fs";

import { afterAll, beforeAll, expect, test } from "vitest";

import { openBucket } from "../../app/replica/bucket.ts";
import { StoreProxy, type Decide, type Fate } from "./store-proxy.ts";
import type { TestMachine } from "./test-machine.ts";
import { World } from "./world.ts";

let world: World;
beforeAll(async () => {
  world = await World.open();
});
afterAll(() => world[Symbol.asyncDispose]());

const refused: Fate = { status: 412, body: "<Error><Code>PreconditionFailed</Code><Message>no</Message></Error>" };
const conflict: Fate = { status: 409, body: "<Error><Code>ConditionalRequestConflict</Code></Error>" };

/** As Hetzner's and DigitalOcean's stores are reported to: If-Match in quotes never matches, bare it does. */
const onlyBare: Decide = ({ headers }) => (headers["if-match"]?.includes('"') === true ? refused : "pass");
const onlyQuoted: Decide = ({ headers }) => (headers["if-match"]?.includes('"') === false ? refused : "pass");
const never: Decide = ({ headers }) => (headers["if-match"] === undefined ? "pass" : refused);

test.concurrent.each([
  ["bare", onlyBare],
  ["in quotes", onlyQuoted],
])("on a store that takes If-Match only %s, machines boot, live, and take over from each other", async (_, decide) => {
  const site = await world.makeSite();
  await using proxy = await StoreProxy.start(world.store.access.endpoint, decide);
  for (const text of ["one", "two"]) {
    const machine = world.newMachine(site);
    machine.reconnect({ endpoint: proxy.endpoint });
    expect(await machine.boot()).toMatchObject({ outcome: "claimed", fence: "enforced" });
    const life = await machine.live();
    life.write(text);
    await life.replicate();
    expect(await site.head()).toMatchObject({ machine: machine.machine.machineId, state: "living" });
    await life.crash();
  }
  const last = world.newMachine(site);
  last.reconnect({ endpoint: proxy.endpoint });
  await last.boot();
  expect(last.texts()).toEqual(["one", "two"]);
});

test.concurrent("the form that was taken once is kept, and a changed object is still refused in it", async () => {
  const { config } = await world.makeSite();
  const sent: string[] = [];
  await using proxy = await StoreProxy.start(world.store.access.endpoint, (request) => {
    const condition = request.headers["if-match"];
    if (condition !== undefined) sent.push(condition.includes('"') ? "quoted" : "bare");
    return onlyBare(request);
  });
  const bucket = openBucket({ ...config, endpoint: proxy.endpoint });
  const first = await bucket.put("swap", "one");
  const second = await bucket.put("swap", "two", { ifMatch: first });
  const third = await bucket.put("swap", "three", { ifMatch: second });
  expect(sent).toEqual(["quoted", "bare", "bare"]);
  const racers = ["four", "five", "six"].map((text) => bucket.put("swap", text, { ifMatch: third }));
  const results = await Promise.allSettled(racers);
  expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
  await expect(bucket.put("swap", "late", { ifMatch: first })).rejects.toMatchObject({ kind: "precondition-failed" });
});

test.concurrent("another write in progress does not change the form of If-Match", async () => {
  const { config } = await world.makeSite();
  let swaps = 0;
  await using proxy = await StoreProxy.start(world.store.access.endpoint, ({ headers }) =>
    headers["if-match"] !== undefined && ++swaps ? conflict : "pass",
  );
  const bucket = openBucket({ ...config, endpoint: proxy.endpoint });
  const etag = await bucket.put("swap", "one");
  await expect(bucket.put("swap", "two", { ifMatch: etag })).rejects.toMatchObject({ kind: "precondition-failed" });
  expect(swaps).toBe(1);
});

function expectNamed(machine: TestMachine, report: unknown): void {
  expect(report).toMatchObject({
    outcome: "refused",
    row: 2,
    cause: expect.stringMatching(/refuses If-Match with the very ETag/),
    next: expect.stringContaining("takes no conditional write"),
  });
  expect([existsSync(machine.files.database), existsSync(machine.files.mark)]).toEqual([false, false]);
}

test.concurrent("a store that never takes If-Match is named, by a first machine before it claims anything", async () => {
  const site = await world.makeSite();
  await using proxy = await StoreProxy.start(world.store.access.endpoint, never);
  const machine = world.newMachine(site);
  machine.reconnect({ endpoint: proxy.endpoint });
  expectNamed(machine, await machine.boot());
  expect(await site.keys("head.json")).toEqual([]);
});

test.concurrent("and by one that takes over, which leaves head as it is", async () => {
  const site = await world.makeSite();
  await world.newMachine(site).liveAndCrash({ replicated: ["one"] });
  const head = await site.head();
  await using proxy = await StoreProxy.start(world.store.access.endpoint, never);
  const machine = world.newMachine(site);
  machine.reconnect({ endpoint: proxy.endpoint });
  expectNamed(machine, await machine.boot());
  expect(await site.head()).toEqual(head);
});
