import { expect, test } from "vitest";

import {
  listKeys,
  onlyServer,
  openScenario,
  takeHetznerCalls,
  productionBucket as bucket,
} from "./project/open-scenario.ts";
import { runVerb } from "./project/run-verb.ts";

test("with protectData false destroy keeps the volume all the same, and only a down with a final sync takes it", async () => {
  await using scenario = await openScenario({ protectData: { value: "false" } });
  const down = (...words: string[]) => runVerb({ project: scenario, checkout: scenario.checkout }, ["down", ...words]);
  await scenario.stack.up();
  await scenario.stack.destroy();
  expect(scenario.hetzner.cloud.volumes.size).toBe(1);
  await scenario.stack.up();
  const unproven = await down("--yes", "--without-final-sync");
  expect(unproven.stdout).toMatch(/^keep +data-fsn1 +hcloud Volume$/m);
  expect(unproven.code).toBe(0);
  expect(scenario.hetzner.cloud.volumes.size).toBe(1);
  await scenario.stack.up();
  await scenario.stack.setConfig("location", { value: "hel1" });
  await scenario.stack.up();
  const locations = () => [...scenario.hetzner.cloud.volumes.values()].map(({ location }) => location.name);
  expect(locations()).toEqual(["fsn1", "hel1"]);
  const keys = await listKeys(scenario, bucket);
  takeHetznerCalls(scenario);
  const proven = await down("--yes");
  console.log(proven.stdout);
  expect(proven.stdout).toMatch(/^delete +data-hel1 +hcloud Volume: after the final sync$/m);
  expect(proven.code).toBe(0);
  const calls = takeHetznerCalls(scenario).map((call) => call.split("/")[0]);
  expect(calls.indexOf("DELETE volumes")).toBeGreaterThan(calls.indexOf("DELETE servers"));
  expect(scenario.hetzner.cloud.servers.size).toBe(0);
  // The one that a move has left behind is in no plan.
  expect(locations()).toEqual(["fsn1"]);
  expect(await listKeys(scenario, bucket)).toEqual(keys);
});

test("protectData false that no up has carried out yet takes no volume", async () => {
  await using scenario = await openScenario();
  await scenario.stack.up();
  await scenario.stack.setConfig("protectData", { value: "false" });
  const { code, stdout } = await runVerb({ project: scenario, checkout: scenario.checkout }, ["down", "--yes"]);
  expect(stdout).toMatch(/^keep +data-fsn1 +hcloud Volume$/m);
  expect(code).toBe(0);
  expect([...scenario.hetzner.cloud.volumes.values()].map(({ protection }) => protection.delete)).toEqual([true]);
});

test("the protection can be lifted and set again on a volume that stands", async () => {
  await using scenario = await openScenario();
  const isProtected = () => scenario.hetzner.cloud.volumes.get(onlyServer(scenario).volumes[0] ?? 0)?.protection.delete;
  for (const protectData of ["true", "false", "true"]) {
    await scenario.stack.setConfig("protectData", { value: protectData });
    await scenario.stack.up();
    expect(isProtected()).toBe(protectData === "true");
  }
  await scenario.stack.destroy();
  expect(scenario.hetzner.cloud.volumes.size).toBe(1);
});
