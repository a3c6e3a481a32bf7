import { existsSync, writeFileSync } from "node:fs";

import { afterAll, beforeAll, expect, test } from "vitest";

import { decideBoot } from "../../app/boot/decide-boot.ts";
import { surveyBoot } from "../../app/boot/survey.ts";
import { claimHead } from "../../app/replica/claim.ts";
import { fetchHead } from "../../app/replica/head.ts";
import { OrderRefused, orderRestore } from "../../app/replica/restore-order.ts";
import { findPointAt, findStateBefore, listLives, type RestorePoint } from "../../app/replica/timeline.ts";
import type { Site } from "../replica/site.ts";
import type { TestMachine } from "../replica/test-machine.ts";
import { World } from "../replica/world.ts";

let world: World;
beforeAll(async () => {
  world = await World.open();
});
afterAll(() => world[Symbol.asyncDispose]());

/** A machine that wrote "one" and, later, "two", and stopped cleanly after each; with a moment between them. */
async function makeHistory() {
  const site = await world.makeSite();
  const a = world.newMachine(site);
  await a.liveAndStop(["one"]);
  const between = new Date();
  await a.liveAndStop(["two"]);
  return { site, a, between };
}

async function order(site: Site, machine: TestMachine, point: RestorePoint | null): Promise<void> {
  if (point === null) throw new Error("the bucket does not have that state");
  orderRestore(machine.files, (await fetchHead(site.bucket)).head, point);
}

async function orderMoment({ site, a, between }: Awaited<ReturnType<typeof makeHistory>>): Promise<RestorePoint> {
  const point = await findPointAt(site.bucket, await listLives(site.bucket), between);
  await order(site, a, point);
  if (point === null) throw new Error("unreachable");
  return point;
}

async function undo(site: Site, machine: TestMachine): Promise<void> {
  const { head } = await fetchHead(site.bucket);
  await order(site, machine, await findStateBefore(site.bucket, await listLives(site.bucket), head.epoch));
}

test.concurrent("an earlier state comes back as a new epoch, and the state before it again, twice", async () => {
  const history = await makeHistory();
  const { site, a } = history;
  const point = await orderMoment(history);
  expect(await a.boot()).toMatchObject({
    outcome: "claimed",
    row: 12,
    content: "restored",
    parent: point.epoch,
    restoredTxid: point.txid,
  });
  expect(a.texts()).toEqual(["one"]);
  expect(existsSync(a.files.restoreOrder)).toBe(false);
  await a.liveAndStop(["three"]);

  await undo(site, a);
  expect(await a.boot()).toMatchObject({ row: 12, content: "restored" });
  expect(a.texts()).toEqual(["one", "two"]);
  await a.liveAndStop([]);

  await undo(site, a);
  expect(await a.boot()).toMatchObject({ row: 12 });
  expect(a.texts()).toEqual(["one", "three"]);
});

test.concurrent("the state before is found again on another machine, which went on from the earlier one", async () => {
  const history = await makeHistory();
  const { site, a } = history;
  await orderMoment(history);
  await a.liveAndCrash({ replicated: ["three"] });
  const b = world.newMachine(site);
  await b.liveAndStop(["four"]);
  expect(b.texts()).toEqual(["one", "three", "four"]);
  await undo(site, b);
  await b.boot();
  expect(b.texts()).toEqual(["one", "two"]);
});

const successors: [claim: string, change: (a: TestMachine, site: Site) => TestMachine][] = [
  ["the same machine with its disk", (a) => a],
  ["the same machine after a power loss", (a) => (a.losePower(), a)],
  ["another machine", (_, site) => world.newMachine(site)],
];

test.concurrent.each(successors)(
  "after a death right behind the claim, %s goes on with that state",
  async (_, change) => {
    const history = await makeHistory();
    const { site, a } = history;
    await orderMoment(history);
    const { facts, seen } = await surveyBoot(site.bucket, a.machine);
    const plan = decideBoot(facts);
    if (plan.act !== "claim") throw new Error(`expected a claim, not ${plan.act}`);
    await claimHead(site.bucket, a.machine, { seen, plan });

    const successor = change(a, site);
    expect(await successor.boot()).toMatchObject({ row: 10, content: "restored" });
    expect(successor.texts()).toEqual(["one"]);
  },
);

test.concurrent("an order drops nothing that was written after it", async () => {
  const history = await makeHistory();
  const { site, a } = history;
  await orderMoment(history);
  // The app starts without a boot, as after a crash, and writes.
  await using life = await a.live();
  life.write("later");
  await life.stopCleanly();
  expect(await a.boot()).toMatchObject({ outcome: "resumed" });
  expect(a.texts()).toEqual(["one", "two", "later"]);
  expect((await fetchHead(site.bucket)).head.parent?.txid).toBeUndefined();
});

test.concurrent("an order is worth nothing once another machine has taken over", async () => {
  const history = await makeHistory();
  const { site, a } = history;
  await orderMoment(history);
  const b = world.newMachine(site);
  await b.liveAndStop(["three"]);
  expect(b.texts()).toEqual(["one", "two", "three"]);
  expect(await a.boot()).toMatchObject({ outcome: "refused", row: 4 });
});

test.concurrent("an order that is damaged is refused, and named", async () => {
  const { a } = await makeHistory();
  writeFileSync(a.files.restoreOrder, "{");
  expect(await a.boot()).toMatchObject({
    outcome: "refused",
    row: 12,
    cause: expect.stringContaining(a.files.restoreOrder),
    next: expect.stringContaining(`delete ${a.files.restoreOrder}`),
  });
});

test.concurrent("no order is taken without a clean stop, nor on a disk that is not of head", async () => {
  const site = await world.makeSite();
  const a = world.newMachine(site);
  await a.liveAndCrash({ replicated: ["one"] });
  const { head } = await fetchHead(site.bucket);
  const point = { epoch: head.epoch, txid: "0000000000000001" };
  expect(() => orderRestore(a.files, head, point)).toThrow(OrderRefused);
  expect(() => orderRestore(a.files, { ...head, nonce: "another claim's nonce" }, point)).toThrow(/not of it/);
});
