import type { ConfigMap, Stack } from "@pulumi/pulumi/automation/index.js";
import { afterAll, beforeAll, expect, test } from "vitest";

import { checkOut } from "./project/check-out.ts";
import {
  failureOf,
  listKeys,
  onlyServer,
  openScenario,
  readObject,
  type Scenario,
  takeHetznerCalls,
  productionBucket as bucket,
} from "./project/open-scenario.ts";
import { openShippedStack } from "./project/open-stack.ts";

// One stack that moves, is lost, and is found again: every test goes on where the one before it ended.
let scenario: Scenario;

beforeAll(async () => {
  scenario = await openScenario();
  await scenario.stack.up();
  takeHetznerCalls(scenario);
});
afterAll(() => scenario[Symbol.asyncDispose]());

test("another location means a new machine, volume and address, the same bucket, and the old volume and address kept", async () => {
  const before = onlyServer(scenario);
  const keys = await listKeys(scenario, bucket);
  scenario.calls.length = 0;
  await scenario.stack.setConfig("location", { value: "hel1" });
  await scenario.stack.up();
  // The machine that is left keeps the rights of its address until the next one serves: its last sync needs them.
  const steps = scenario.calls.map(({ verb, name }) => `${verb} ${name}`);
  const served = steps.findIndex((step) => step.endsWith(" active-activation"));
  expect(steps.indexOf("create access-machine-hel1-1")).toBeLessThan(served);
  expect(steps.indexOf("delete access-machine-fsn1")).toBeGreaterThan(served);
  const after = onlyServer(scenario);
  expect(after.location.name).toBe("hel1");
  expect(after.public_net.ipv4?.ip).not.toBe(before.public_net.ipv4?.ip);
  const { volumes, primary_ips } = scenario.hetzner.cloud;
  expect([...volumes.values()].map(({ id, location }) => [location.name, id === before.volumes[0]])).toEqual([
    ["fsn1", true],
    ["hel1", false],
  ]);
  // keepAddress: whoever still has the old address in DNS reaches nobody else, and the way back finds it.
  expect([...primary_ips.values()].map(({ type, location }) => `${type} ${location.name}`).toSorted()).toEqual([
    "ipv4 fsn1",
    "ipv4 hel1",
    "ipv6 fsn1",
    "ipv6 hel1",
  ]);
  const calls = takeHetznerCalls(scenario);
  expect(calls.indexOf("POST servers/lifeboat-production/actions/shutdown")).toBeLessThan(
    calls.indexOf("DELETE servers/lifeboat-production"),
  );
  expect(calls.filter((call) => call.startsWith("DELETE volumes"))).toEqual([]);
  expect(await listKeys(scenario, bucket)).toEqual(keys);
});

test("the way back takes the volume that was left there", async () => {
  const [left] = scenario.hetzner.cloud.volumes.keys();
  await scenario.stack.setConfig("location", { value: "fsn1" });
  await scenario.stack.up();
  expect(onlyServer(scenario).location.name).toBe("fsn1");
  expect(onlyServer(scenario).volumes).toEqual([left]);
  takeHetznerCalls(scenario);
});

test("an up with an empty state adopts the bucket and its id", async () => {
  await scenario.stack.destroy();
  const sentinel = await readObject(scenario, bucket, "lifeboat.json");
  await scenario.stack.workspace.removeStack("production");
  const stack = await openShippedStack(scenario, await checkOut(scenario), { name: "production" });
  const { outputs } = await stack.up();
  expect(await readObject(scenario, bucket, "lifeboat.json")).toEqual(sentinel);
  expect(sentinel).toMatchObject({ bucketId: outputs["bucketId"]?.value });
  expect(onlyServer(scenario).volumes).toHaveLength(1);
});

test("staging beside production in one account has everything of its own", async () => {
  const staging = await openOther("staging");
  const { outputs } = await staging.up();
  const servers = [...scenario.hetzner.cloud.servers.values()];
  expect(servers.map(({ name }) => name)).toEqual(["lifeboat-production", "lifeboat-staging"]);
  expect(servers.map(({ volumes }) => volumes.length)).toEqual([1, 1]);
  expect(outputs["bucket"]?.value).toBe("lifeboat-staging-123456789012");
});

test("the end of staging takes nothing of production's", async () => {
  const [production] = scenario.hetzner.cloud.servers.values();
  const staging = await openOther("staging");
  await staging.destroy();
  expect(onlyServer(scenario)).toEqual(production);
  expect(scenario.hetzner.cloud.primary_ips.get(production?.public_net.ipv4?.id ?? 0)?.assignee_id).toBe(
    production?.id,
  );
});

test("staging may not use production's bucket", async () => {
  const rival = await openOther("rival", { bucket: { value: bucket } });
  expect(await failureOf(rival.up())).toContain("belongs to stack lifeboat/production, and this is lifeboat/rival");
  expect(onlyServer(scenario).name).toBe("lifeboat-production");
});

test("two stacks of one project may name the same public SSH key, and the end of one leaves it to the other", async () => {
  const { cloud } = scenario.hetzner;
  const [production] = cloud.servers.values();
  const keys = [...cloud.ssh_keys.values()];
  const sibling = await openShippedStack(scenario, await checkOut(scenario), { name: "sibling" });
  await sibling.up();
  const servers = [...cloud.servers.values()];
  expect(servers.map(({ ssh_keys }) => ssh_keys)).toEqual([production?.ssh_keys, production?.ssh_keys]);
  await sibling.destroy();
  expect([...cloud.ssh_keys.values()]).toEqual(keys);
});

/** A stack beside production, with an SSH key of its own. */
async function openOther(name: string, config: ConfigMap = {}): Promise<Stack> {
  const sshKey = `ssh-ed25519 ${Buffer.from(`key of ${name}`).toString("base64")} test`;
  const options = { name, config: { "sshKeys[0]": { value: sshKey }, ...config } };
  return openShippedStack(scenario, await checkOut(scenario), options);
}
