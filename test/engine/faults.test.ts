import { afterEach, beforeEach, expect, test } from "vitest";

import { noFaults } from "./hcloud/faults.ts";
import { failureOf, onlyServer, openScenario, type Scenario } from "./project/open-scenario.ts";

let scenario: Scenario;

beforeEach(async () => {
  scenario = await openScenario();
});
afterEach(() => scenario[Symbol.asyncDispose]());

function breakCloud(faults: Partial<typeof noFaults>): void {
  scenario.hetzner.cloud.faults = { ...noFaults, ...faults };
}

test("a wrong token makes nothing at Hetzner", async () => {
  await scenario.stack.setConfig("hcloud:token", { value: "w".repeat(64), secret: true });
  expect(await failureOf(scenario.stack.up())).toContain("unable to authenticate");
  expect(scenario.hetzner.cloud.servers.size + scenario.hetzner.cloud.primary_ips.size).toBe(0);
  expect(scenario.calls).toEqual([]);
});

test("an up that failed in the middle is finished by the next one, with one machine and one volume", async () => {
  breakCloud({ brokenRequests: ["POST volumes"] });
  expect(await failureOf(scenario.stack.up())).toContain("a fault that the test ordered");
  const halfMade = onlyServer(scenario);
  breakCloud({});
  await scenario.stack.up();
  expect(onlyServer(scenario).id).toBe(halfMade.id);
  expect(onlyServer(scenario).volumes).toHaveLength(1);
  expect(scenario.machines.running.has(halfMade.id)).toBe(true);
});

test("another bucket under a machine that stands is refused, and nothing is changed", async () => {
  await scenario.stack.up();
  const before = structuredClone(onlyServer(scenario));
  scenario.calls.length = 0;
  await scenario.stack.setConfig("bucket", { value: "another-bucket" });
  expect(await failureOf(scenario.stack.up())).toContain("another bucket is another database");
  expect([onlyServer(scenario), scenario.calls]).toEqual([before, []]);
});

test("a spent rate limit delays an up and does not fail it", async () => {
  breakCloud({ rateLimited: 3 });
  await scenario.stack.up();
  expect(scenario.hetzner.cloud.faults.rateLimited).toBe(0);
  expect(onlyServer(scenario).volumes).toHaveLength(1);
});

test("a refresh sees what was changed by hand, and the next up puts it right", async () => {
  await scenario.stack.up();
  const [firewall] = scenario.hetzner.cloud.firewalls.values();
  const shipped = structuredClone(firewall?.rules);
  firewall?.rules.push({ direction: "in", protocol: "tcp", port: "5432", source_ips: ["0.0.0.0/0"] });
  const { summary } = await scenario.stack.refresh();
  expect(summary.resourceChanges?.["update"]).toBe(1);
  await scenario.stack.up();
  expect(firewall?.rules).toEqual(shipped);
});

test("a server that was deleted by hand comes back with its volume and its address", async () => {
  await scenario.stack.up();
  const before = onlyServer(scenario);
  const { cloud } = scenario.hetzner;
  cloud.servers.delete(before.id);
  for (const volume of cloud.volumes.values()) volume.server = null;
  for (const address of cloud.primary_ips.values()) address.assignee_id = null;
  await scenario.stack.refresh();
  await scenario.stack.up();
  expect(onlyServer(scenario).volumes).toEqual(before.volumes);
  expect(onlyServer(scenario).public_net.ipv4?.ip).toBe(before.public_net.ipv4?.ip);
});
