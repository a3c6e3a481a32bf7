import { randomUUID } from "node:crypto";
import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { afterAll, beforeAll, expect, test } from "vitest";

import { waitFor } from "../../../app/cli/wait-for.ts";
import { appSources, bundleApp, type AppBundle } from "../../../scripts/build/bundle-app.ts";
import { HttpClient } from "../../../scripts/drill/http-client.ts";
import { Machine, type Site as DrillSite } from "../../../scripts/drill/machine.ts";
import type { Site } from "../../replica/site.ts";
import { World } from "../../replica/world.ts";

let world: World;
let app: AppBundle;
beforeAll(async () => {
  world = await World.open();
  app = await bundleApp(appSources, join(world.directory, "app"));
});
afterAll(() => world[Symbol.asyncDispose]());

const decidedLimitMs = 30_000;
const steadyMs = 5_000;

test.each(["an empty bucket", "the bucket of a dead machine"])(
  "of two machines that boot from %s under a restarting supervisor, exactly one serves within 30 s",
  async (kind) => {
    const site = await world.makeSite();
    if (kind !== "an empty bucket") await world.newMachine(site).liveAndCrash({ replicated: ["one"] });
    const drillSite = toDrillSite(site);
    await using a = await Machine.switchOn("a", drillSite);
    await using b = await Machine.switchOn("b", drillSite);
    const machines = [a, b];
    const down = new Set<Machine>();
    for (const machine of machines) void machine.supervisor.ended.then(() => down.add(machine));
    const decided = async () => {
      const serving = await servingOf(machines);
      return serving.length === 1 && down.size === 1 ? serving : null;
    };
    const [winner] = await waitFor("exactly one machine to serve and the other to stay down", decided, {
      timeoutMs: decidedLimitMs,
      everyMs: 100,
    });
    await sleep(steadyMs);
    expect(await servingOf(machines)).toEqual([winner]);
    expect([...down]).toEqual(machines.filter((machine) => machine !== winner));
    expect(await site.head()).toMatchObject({ state: "living" });
  },
);

async function servingOf(machines: readonly Machine[]): Promise<Machine[]> {
  const answers = await Promise.all(machines.map(isServing));
  return machines.filter((_, index) => answers[index]);
}

async function isServing({ target }: Machine): Promise<boolean> {
  using client = new HttpClient(target);
  try {
    return (await client.ask({ method: "GET", path: "/ready" }, 1_000)).status === 200;
  } catch {
    return false;
  }
}

function toDrillSite({ config: bucket, bucketId }: Site): DrillSite {
  const directory = mkdtempSync(join(world.directory, "m-"));
  return {
    directory,
    leftovers: world.leftovers,
    litestream: world.litestream,
    app,
    bucket,
    bucketId,
    token: randomUUID(),
  };
}
