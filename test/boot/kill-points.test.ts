import { spawn } from "node:child_process";
import { once } from "node:events";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { waitFor } from "../../app/cli/wait-for.ts";
import { StoreProxy } from "../replica/store-proxy.ts";
import { World } from "../replica/world.ts";
import type { Death, Order } from "./boot-child.ts";
import { bootInChild, bundleChild, copyScene, dieAndBootAgain, scenes, type Scene } from "./kill-points.ts";

let world: World;
let child: string;
beforeAll(async () => {
  world = await World.open();
  child = await bundleChild(world.directory);
});
afterAll(() => world[Symbol.asyncDispose]());

const ends = ["staged files", "epoch", "mark"];
const comparing = ["lock", "survey", "claim", "check volume", "restore", "check", "install", ...ends];
/**
 * The steps of each plan, and the first step after which a machine is killed. Earlier deaths are the same as in another
 * plan; test/slow has them all.
 */
const plans: Record<string, { steps: string[]; from: string }> = {
  fresh: { steps: ["lock", "survey", "probe", "claim", "install", ...ends], from: "lock" },
  restore: { steps: ["lock", "survey", "claim", "restore", "check", "install", ...ends], from: "lock" },
  volume: { steps: ["lock", "survey", "claim", "check volume", "install", ...ends], from: "claim" },
  "compare, volume newer": { steps: comparing, from: "claim" },
  "compare, replica newer": { steps: comparing, from: "check" },
};

describe.each(Object.entries(scenes))("plan %s", (name, prepare) => {
  const { steps, from } = plans[name] ?? { steps: [], from: "" };
  let original: Scene;
  beforeAll(async () => {
    original = await prepare(world);
  });

  test("goes through the steps that are listed here", async () => {
    const { machine, plan, site } = await copyScene(world, original);
    const outcome = await bootInChild(child, { machine: machine.machine, death: null });
    expect(outcome?.report).toMatchObject({ outcome: "claimed", ...plan, steps: steps.map((step) => ({ step })) });
    await site.discard();
  });

  const deaths: [string, Death][] = steps.slice(steps.indexOf(from)).map((step) => [`after step ${step}`, { step }]);
  deaths.push(["when the mark has been written", { renamedTo: "mark.json" }]);

  test.concurrent.each(deaths)("a machine killed %s boots again with the same content", async (_, death) => {
    await dieAndBootAgain(await copyScene(world, original), child, death);
  });
});

test("a boot killed in the middle of its restore leaves a Litestream behind that does no harm to the next one", async () => {
  const site = await world.makeSite();
  await world.newMachine(site).liveAndCrash({ replicated: ["one"] });
  // Before its claim, boot reads the start of a file by itself: to know the size.
  let claims = false;
  await using proxy = await StoreProxy.start(world.store.access.endpoint, ({ method, path }) => {
    if (method === "PUT" && path.includes("/head.json")) claims = true;
    return claims && path.includes(".ltx") ? "hang" : "pass";
  });
  const b = world.newMachine(site);
  b.reconnect({ endpoint: proxy.endpoint });
  const order: Order = { machine: b.machine, death: null };
  const killed = spawn(process.execPath, [child, JSON.stringify(order)], { stdio: "ignore" });
  await waitFor("the restore to read", async () => (proxy.hanging > 0 ? true : null), { timeoutMs: 20_000 });
  killed.kill("SIGKILL");
  await once(killed, "exit");
  b.reconnect({ endpoint: world.store.access.endpoint });
  // Now the Litestream that was left behind reads beside the one of the next boot.
  proxy.heal();
  expect(await b.boot()).toMatchObject({ outcome: "claimed", row: 10, content: "restored" });
  const life = await b.live();
  life.write("two");
  await life.replicate();
  await life.crash();
  expect(b.texts()).toEqual(["one", "two"]);
});
