import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";

import { afterAll, beforeAll, expect, test } from "vitest";

import { waitFor } from "../../app/cli/wait-for.ts";
import { DirectoryInUse } from "../../app/replica/lock.ts";
import { readMark } from "../../app/replica/mark.ts";
import { StoreProxy, type Fate } from "../replica/store-proxy.ts";
import type { TestMachine } from "../replica/test-machine.ts";
import { World } from "../replica/world.ts";

let world: World;
beforeAll(async () => {
  world = await World.open();
});
afterAll(() => world[Symbol.asyncDispose]());

/** Lets a fate befall the first claim, and nothing else. */
function onFirstClaim(fate: () => Fate | Promise<Fate>): StoreProxy["decide"] {
  let claims = 0;
  return ({ method, path }) => (method === "PUT" && path.includes("/head.json") && ++claims === 1 ? fate() : "pass");
}

const slowDown: Fate = { status: 503, body: "<Error><Code>SlowDown</Code></Error>" };

test.concurrent("a claim whose answer was lost is recognised as won, by a first machine and by one that takes over", async () => {
  const site = await world.makeSite();
  for (const number of ["0001-", "0002-"]) {
    await using proxy = await StoreProxy.start(
      world.store.access.endpoint,
      onFirstClaim(() => "lose-answer"),
    );
    const machine = world.newMachine(site);
    machine.reconnect({ endpoint: proxy.endpoint });
    const report = await machine.boot();
    expect(report).toMatchObject({ outcome: "claimed", epoch: expect.stringMatching(number) });
    expect(await site.head()).toMatchObject({
      epoch: report.epoch,
      machine: machine.machine.machineId,
      nonce: readMark(machine.files.mark)?.nonce,
    });
    machine.reconnect({ endpoint: world.store.access.endpoint });
    const life = await machine.live();
    await life.replicate();
    await life.crash();
  }
});

test.concurrent.each<[string, Fate]>([
  ["never arrives", "drop"],
  ["is answered with SlowDown", slowDown],
])("a claim that %s is not taken for another machine's win: boot claims again", async (_, fate) => {
  const { site, epoch } = await world.makeDead();
  const b = world.newMachine(site);
  await using proxy = await StoreProxy.start(
    world.store.access.endpoint,
    onFirstClaim(() => fate),
  );
  b.reconnect({ endpoint: proxy.endpoint });
  expect(await b.boot()).toMatchObject({ outcome: "claimed", row: 11, content: "restored", parent: epoch });
  expectUnsettled(b);
  expect(b.texts()).toEqual(["one"]);
});

test.concurrent("a first claim that never arrives does not look like a broken bucket", async () => {
  const site = await world.makeSite();
  const a = world.newMachine(site);
  await using proxy = await StoreProxy.start(
    world.store.access.endpoint,
    onFirstClaim(() => "drop"),
  );
  a.reconnect({ endpoint: proxy.endpoint });
  expect(await a.boot()).toMatchObject({ outcome: "claimed", row: 5 });
  expectUnsettled(a);
});

function expectUnsettled({ events }: TestMachine): void {
  expect(events).toContainEqual({
    level: "warn",
    event: "the claim is not settled, surveying again",
    details: expect.objectContaining({ cause: expect.stringContaining("has not reached the store") }),
  });
}

test.concurrent("when head's own machine makes its epoch living during a claim, the claim is repeated and not lost", async () => {
  const { site } = await world.makeDead();
  const [b, c] = [world.newMachine(site), world.newMachine(site)];
  const opened = await c.boot();
  const makeLiving = async (): Promise<Fate> => {
    const life = await c.live();
    life.write("of c");
    await life.replicate();
    await life.crash();
    return "pass";
  };
  await using proxy = await StoreProxy.start(world.store.access.endpoint, onFirstClaim(makeLiving));
  b.reconnect({ endpoint: proxy.endpoint });
  expect(await b.boot()).toMatchObject({ outcome: "claimed", row: 11, content: "restored", parent: opened.epoch });
  expect(b.texts()).toEqual(["one", "of c"]);
  expect(await site.head()).toMatchObject({ machine: b.machine.machineId, parent: { epoch: opened.epoch } });
});

test.concurrent("a refusal of an opening head does not stand when that head has become living", async () => {
  const { site } = await world.makeDead();
  const [b, c] = [world.newMachine(site), world.newMachine(site)];
  const { parent, epoch } = await c.boot();
  await site.remove(new RegExp(`^epochs/${parent}/0`));
  let reads = 0;
  const makeLiving = async (): Promise<Fate> => {
    const life = await c.live();
    await life.replicate();
    await life.crash();
    return "pass";
  };
  const decide: StoreProxy["decide"] = ({ path }) =>
    path.includes("/head.json") && ++reads === 2 ? makeLiving() : "pass";
  await using proxy = await StoreProxy.start(world.store.access.endpoint, decide);
  b.reconnect({ endpoint: proxy.endpoint });
  expect(await b.boot()).toMatchObject({ outcome: "claimed", row: 11, parent: epoch });
  expect(b.texts()).toEqual(["one"]);
});

test.concurrent("a claim that another machine won in between is lost, and nothing was touched", async () => {
  const { site } = await world.makeDead();
  const [b, c] = [world.newMachine(site), world.newMachine(site)];
  const first = async (): Promise<Fate> => {
    await c.boot();
    return "pass";
  };
  await using proxy = await StoreProxy.start(world.store.access.endpoint, onFirstClaim(first));
  b.reconnect({ endpoint: proxy.endpoint });
  expect(await b.boot()).toMatchObject({ outcome: "lost", cause: expect.stringContaining(c.machine.machineId) });
  expect(await site.head()).toMatchObject({ machine: c.machine.machineId });
  expect([existsSync(b.files.database), existsSync(b.files.litestreamConfig), c.texts()]).toEqual([
    false,
    false,
    ["one"],
  ]);
});

test.concurrent("of two machines that race for the claim exactly one wins", async () => {
  const { site } = await world.makeDead();
  const racers = [world.newMachine(site), world.newMachine(site)];
  const bothAreThere = Promise.withResolvers<Fate>();
  let claims = 0;
  await using proxy = await StoreProxy.start(world.store.access.endpoint, ({ method, path }) => {
    if (method !== "PUT" || !path.includes("/head.json")) return "pass";
    claims += 1;
    if (claims === racers.length) bothAreThere.resolve("pass");
    return bothAreThere.promise;
  });
  for (const racer of racers) racer.reconnect({ endpoint: proxy.endpoint });
  const reports = await Promise.all(racers.map((racer) => racer.boot()));
  expect(reports.map(({ outcome }) => outcome).toSorted()).toEqual(["claimed", "lost"]);
  const winner = reports.find(({ outcome }) => outcome === "claimed");
  expect(await site.head()).toMatchObject({ epoch: winner?.epoch, machine: winner?.machine });
});

test.concurrent("a machine whose epoch was taken over between its boot and its start does not serve", async () => {
  const site = await world.makeSite();
  const [a, b] = [world.newMachine(site), world.newMachine(site)];
  await a.boot();
  await b.boot();
  await expect(a.live()).rejects.toThrow(`machine ${b.machine.machineId} has taken over`);
});

test.concurrent("a refusal stands only while head is unchanged", async () => {
  const { site, epoch } = await world.makeDead();
  const head = await site.head();
  await site.remove(/^head\.json$/);
  const b = world.newMachine(site);
  const putBack = async (): Promise<Fate> => {
    await site.overwriteHead(head);
    return "pass";
  };
  let reads = 0;
  const decide: StoreProxy["decide"] = ({ path }) =>
    path.includes("/head.json") && ++reads === 1 ? putBack() : "pass";
  await using proxy = await StoreProxy.start(world.store.access.endpoint, decide);
  b.reconnect({ endpoint: proxy.endpoint });
  expect(await b.boot()).toMatchObject({ outcome: "claimed", row: 11, parent: epoch });
  const event = "head moved while it was judged, surveying again";
  expect(b.events).toContainEqual({ level: "info", event, details: { row: 6 } });
});

// Not at once with the others: waiting for the lock stops the whole process for 5 s.
test("a directory that another process boots is left alone", async () => {
  const a = world.newMachine(await world.makeSite());
  await using proxy = await StoreProxy.start(world.store.access.endpoint, () => "hang");
  a.reconnect({ endpoint: proxy.endpoint });
  const first = a.boot();
  await waitFor("the first boot to hold the lock", async () => (proxy.hanging > 0 ? true : null), {
    timeoutMs: 10_000,
  });
  await expect(a.boot()).rejects.toThrow(DirectoryInUse);
  proxy.heal();
  expect(await first).toMatchObject({ outcome: "claimed" });
});

test.concurrent("boot does not go on while a Litestream of an earlier life runs", async () => {
  const { site, a } = await world.makeDead();
  await a.boot();
  const life = await a.live();
  await expect(a.boot({ limits: { litestreamWaitSeconds: 0.2 } })).rejects.toThrow(
    /a Litestream of an earlier life still runs/,
  );
  expect((await site.head()).epoch).toBe(life.replication.epoch);
  await life.crash();
  expect(await a.boot()).toMatchObject({ outcome: "resumed" });
});

test.concurrent("a short failure of the store after the restore does not discard the restored database", async () => {
  const { site } = await world.makeDead();
  let faults = 0;
  await using proxy = await StoreProxy.start(world.store.access.endpoint, ({ method, path }) =>
    method === "PUT" && /epoch\.json|conditional-writes/.test(path) && ++faults <= 2 ? slowDown : "pass",
  );
  const b = world.newMachine(site);
  b.reconnect({ endpoint: proxy.endpoint });
  expect(await b.boot()).toMatchObject({
    outcome: "claimed",
    content: "restored",
    fence: "enforced",
    quarantined: null,
  });
  expect(faults).toBeGreaterThan(2);
  expect(b.texts()).toEqual(["one"]);
});

test.concurrent("no Litestream can start on a directory while it is booted", async () => {
  const { site } = await world.makeDead();
  const b = world.newMachine(site);
  const seen: boolean[] = [];
  const report = await b.boot({
    afterStep: () => seen.push(spawnSync("flock", ["--nonblock", b.files.litestreamLock, "true"]).status === 0),
  });
  expect(report.outcome).toBe("claimed");
  // The lock database is taken first, Litestream's lock from the survey on.
  expect(seen.slice(1)).not.toContain(true);
  expect(seen.length).toBeGreaterThan(4);
  expect(spawnSync("flock", ["--nonblock", b.files.litestreamLock, "true"]).status).toBe(0);
});
