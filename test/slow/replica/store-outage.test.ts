import { existsSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

import { afterAll, beforeAll, expect, test } from "vitest";

import { World } from "../../replica/world.ts";

let world: World;
beforeAll(async () => {
  world = await World.open();
});
afterAll(() => world[Symbol.asyncDispose]());

const outageMs = 20_000;

test.each(["drop", "hang"] as const)(
  "a machine that boots into an outage of 20 s (%s) waits for its end and comes back with the data",
  async (fate) => {
    const { b, proxy: opened } = await world.makeNext(() => fate);
    await using proxy = opened;
    const booting = b.boot();
    await sleep(outageMs);
    expect(existsSync(b.files.database)).toBe(false);
    proxy.heal();
    expect(await booting).toMatchObject({ outcome: "claimed", row: 11, content: "restored" });
    expect(b.texts()).toEqual(["one"]);
  },
);

test("an outage of 20 s under a living machine delays `bucket` writes, and takes none", async () => {
  const { b, proxy: opened } = await world.makeNext(() => "pass");
  await using proxy = opened;
  await b.boot();
  const life = await b.live();
  life.write("two");
  await life.replicate();
  proxy.decide = () => "drop";
  life.write("three");
  await expect(life.replicate(5_000)).rejects.toThrow("not in the bucket after 5000 ms");
  await sleep(outageMs);
  proxy.heal();
  await life.replicate(60_000);
  await life.crash();
  b.loseDisk();
  expect(await b.boot()).toMatchObject({ outcome: "claimed", content: "restored" });
  expect(b.texts()).toEqual(["one", "two", "three"]);
});

test("when the store stops answering after the claim, boot waits, for longer than it waits for a single call, and finishes its work", async () => {
  let claimed = false;
  const { site, b, proxy: opened } = await world.makeNext(() => (claimed ? "hang" : "pass"));
  await using proxy = opened;
  const booting = b.boot({
    limits: { restoreStallMs: 1_000, storeWaitMs: 1_000 },
    afterStep: (step) => void (claimed ||= step === "claim"),
  });
  await sleep(outageMs);
  expect([existsSync(b.files.database), existsSync(b.files.mark)]).toEqual([false, false]);
  expect(await site.head()).toMatchObject({ state: "opening", machine: b.machine.machineId });
  proxy.heal();
  expect(await booting).toMatchObject({ outcome: "claimed", row: 11, content: "restored" });
  expect(b.texts()).toEqual(["one"]);
});
