import { existsSync } from "node:fs";

import { afterAll, beforeAll, expect, test } from "vitest";

import { fetchHead } from "../../app/replica/head.ts";
import { readMark } from "../../app/replica/mark.ts";
import type { TestMachine } from "../replica/test-machine.ts";
import { World } from "../replica/world.ts";

let world: World;
beforeAll(async () => {
  world = await World.open();
});
afterAll(() => world[Symbol.asyncDispose]());

/** Asserts that the machine serves after its boot, and that its epoch becomes living. */
async function expectServing(machine: TestMachine, texts: readonly string[]): Promise<void> {
  if (texts.length > 0) expect(machine.texts()).toEqual(texts);
  await using life = await machine.live();
  life.write("after the boot");
  await life.replicate();
  expect(life.replication.state).toBe("living");
  expect(machine.texts()).toEqual([...texts, "after the boot"]);
}

test.concurrent("row 3: a process crash resumes the same epoch, with writes that never left the disk", async () => {
  const { a, epoch } = await world.makeDead();
  expect(await a.boot()).toMatchObject({ outcome: "resumed", row: 3, epoch, content: "volume" });
  await expectServing(a, ["one", "two"]);
});

test.concurrent("row 3: a reboot after a clean stop resumes, and the mark no longer says that the stop was clean", async () => {
  const a = world.newMachine(await world.makeSite());
  const { epoch } = await a.boot();
  const life = await a.live();
  life.write("one", "two");
  await life.stopCleanly();
  a.losePower();
  expect(await a.boot()).toMatchObject({ outcome: "resumed", row: 3, epoch });
  expect(readMark(a.files.mark)).toMatchObject({ cleanStop: null, bootId: a.machine.bootId });
  await expectServing(a, ["one", "two"]);
});

test.concurrent("row 4: a machine that was replaced and comes back does not take over, and its disk is left alone", async () => {
  const { site, a } = await world.makeDead();
  const b = world.newMachine(site);
  const taken = await b.boot();
  a.losePower();
  const report = await a.boot();
  expect(report).toMatchObject({ outcome: "refused", row: 4, cause: expect.stringContaining(b.machine.machineId) });
  expect((await fetchHead(site.bucket)).head.epoch).toBe(taken.epoch);
  expect(a.texts()).toEqual(["one", "two"]);
  await expectServing(b, ["one"]);
});

test.concurrent("row 5: an empty bucket starts the first epoch", async () => {
  const site = await world.makeSite();
  const a = world.newMachine(site);
  expect(await a.boot()).toMatchObject({
    outcome: "claimed",
    row: 5,
    content: "fresh",
    parent: null,
    fence: "enforced",
  });
  expect((await site.head()).epoch).toMatch(/^0001-/);
  await expectServing(a, []);
});

test.concurrent("row 5: an empty bucket and a marked database refuse, for that may be the last copy", async () => {
  const { a } = await world.makeDead();
  const emptied = await world.makeSite();
  a.reconnect(emptied.config);
  a.machine = { ...a.machine, bucketId: emptied.bucketId };
  expect(await a.boot()).toMatchObject({ outcome: "refused", row: 5, cause: expect.stringContaining("last copy") });
  expect(a.texts()).toEqual(["one", "two"]);
  expect(await emptied.keys("epochs/")).toEqual([]);
});

test.concurrent("row 6: epochs without a head refuse", async () => {
  const { site } = await world.makeDead();
  await site.remove(/^head\.json$/);
  const b = world.newMachine(site);
  expect(await b.boot()).toMatchObject({ outcome: "refused", row: 6, next: expect.stringContaining("head.json") });
  expect(await site.keys("head.json")).toEqual([]);
  expect(existsSync(b.files.database)).toBe(false);
});

test.concurrent("row 7: a living epoch without its base refuses, and the report says what is missing, on the machine and in the bucket", async () => {
  const { site, epoch } = await world.makeDead();
  await site.remove(/\.ltx$/);
  const b = world.newMachine(site);
  const report = await b.boot();
  expect(report).toMatchObject({
    outcome: "refused",
    row: 7,
    cause: expect.stringContaining(`${epoch}`),
    next: expect.stringContaining(`epochs/${epoch}/`),
  });
  expect((await site.head()).epoch).toBe(epoch);
  const [key = ""] = await site.keys(`reports/boot/${report.startedAt}`);
  expect(JSON.parse((await site.bucket.get(key)).text)).toEqual(report);
});

test.concurrent("row 8: a first epoch that never got a base starts afresh on a new machine", async () => {
  const site = await world.makeSite();
  await world.newMachine(site).liveAndCrash({ onDisk: ["never left the disk"] });
  expect(await site.keys("epochs/")).not.toContainEqual(expect.stringContaining(".ltx"));
  const b = world.newMachine(site);
  expect(await b.boot()).toMatchObject({ outcome: "claimed", row: 8, content: "fresh", parent: null });
  await expectServing(b, []);
});

test.concurrent("row 8: a first epoch without a base continues with its own volume after each power loss", async () => {
  const site = await world.makeSite();
  const a = world.newMachine(site);
  await a.liveAndCrash({ onDisk: ["never left the disk"] });
  a.losePower();
  expect(await a.boot()).toMatchObject({ outcome: "claimed", row: 8, content: "volume" });
  a.losePower();
  expect(await a.boot()).toMatchObject({ outcome: "claimed", row: 8, content: "volume" });
  expect((await site.head()).replaces).toHaveLength(2);
  await expectServing(a, ["never left the disk"]);
});

test.concurrent("row 9: an epoch without a base, whose parent is gone too, refuses", async () => {
  const { site, epoch } = await world.makeDead();
  const b = world.newMachine(site);
  await b.liveAndCrash({ onDisk: ["three"] });
  await site.remove(/\.ltx$/);
  expect(await world.newMachine(site).boot()).toMatchObject({
    outcome: "refused",
    row: 9,
    cause: expect.stringContaining(`${epoch}`),
  });
});

test.concurrent("row 10: an epoch without a base hands its parent on to the next machine", async () => {
  const { site, epoch } = await world.makeDead();
  await world.newMachine(site).liveAndCrash({ onDisk: ["three"] });
  const c = world.newMachine(site);
  expect(await c.boot()).toMatchObject({ outcome: "claimed", row: 10, content: "restored", parent: epoch });
  await expectServing(c, ["one"]);
});

test.concurrent("row 10: after a power loss the volume of that epoch is kept, though neither it nor its parent can be restored", async () => {
  const { site } = await world.makeDead();
  const b = world.newMachine(site);
  await b.liveAndCrash({ onDisk: ["three"] });
  await site.remove(/\.ltx$/);
  b.losePower();
  expect(await b.boot()).toMatchObject({ outcome: "claimed", row: 10, content: "volume" });
  await expectServing(b, ["one", "three"]);
});

test.concurrent("row 10: a machine that died between its claim and its mark compares its volume with the parent", async () => {
  const { a } = await world.makeDead();
  a.losePower();
  await expect(a.boot({ afterStep: (step) => dieAfter(step, "claim") })).rejects.toThrow("died after claim");
  a.losePower();
  expect(await a.boot()).toMatchObject({ outcome: "claimed", row: 10, content: "volume" });
  await expectServing(a, ["one", "two"]);
});

test.concurrent("row 11: a new machine restores what was acknowledged at bucket, into a prefix of its own", async () => {
  const { site, epoch } = await world.makeDead();
  const b = world.newMachine(site);
  const report = await b.boot();
  expect(report).toMatchObject({ outcome: "claimed", row: 11, content: "restored", parent: epoch });
  expect(report.epoch).not.toBe(epoch);
  await expectServing(b, ["one"]);
  expect(await site.keys(`epochs/${report.epoch}/0000/`)).not.toEqual([]);
});

test.concurrent("row 11: after a power loss the volume wins when it is newer, and loses nothing", async () => {
  const { a, epoch } = await world.makeDead();
  a.losePower();
  expect(await a.boot()).toMatchObject({ outcome: "claimed", row: 11, content: "volume", parent: epoch });
  await expectServing(a, ["one", "two"]);
});

test.concurrent("row 11: the replica wins when the power took commits that the bucket has", async () => {
  const a = world.newMachine(await world.makeSite());
  await a.boot();
  const life = await a.live();
  life.write("one");
  const putBack = a.rememberDisk();
  life.write("two");
  await life.replicate();
  await life.crash();
  putBack();
  a.losePower();
  expect(await a.boot()).toMatchObject({ outcome: "claimed", row: 11, content: "restored" });
  await expectServing(a, ["one", "two"]);
  expect(a.quarantined()).toHaveLength(1);
});

test.concurrent("row 11: a kept volume in another machine goes on where the first one was cut off", async () => {
  const { a, epoch } = await world.makeDead();
  a.becomeAnother();
  expect(await a.boot()).toMatchObject({ outcome: "claimed", row: 11, content: "volume", parent: epoch });
  await expectServing(a, ["one", "two"]);
});

test.concurrent("row 11: after a clean stop a kept volume needs no restore to compare, unless the replica has grown", async () => {
  const a = world.newMachine(await world.makeSite());
  await a.boot();
  const life = await a.live();
  life.write("one");
  await life.stopCleanly();
  a.becomeAnother();
  const { steps, content } = await a.boot();
  expect(content).toBe("volume");
  expect(steps.map(({ step }) => step)).not.toContain("restore");
  await expectServing(a, ["one"]);
});

test.concurrent("epoch after epoch, every machine finds what the one before had acknowledged", async () => {
  const site = await world.makeSite();
  const texts: string[] = [];
  for (const text of ["one", "two", "three", "four"]) {
    const machine = world.newMachine(site);
    await machine.liveAndCrash({ replicated: [text] });
    texts.push(text);
    expect(machine.texts()).toEqual(texts);
  }
  expect((await site.head()).epoch).toMatch(/^0004-/);
});

function dieAfter(step: string, last: string): void {
  if (step === last) throw new Error(`died after ${last}`);
}
