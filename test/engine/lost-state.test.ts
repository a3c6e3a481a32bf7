import type { Stack } from "@pulumi/pulumi/automation/index.js";
import { afterAll, beforeAll, expect, test } from "vitest";

import { waitFor } from "../../app/cli/wait-for.ts";
import type { Server } from "./hcloud/cloud.ts";
import { checkOut } from "./project/check-out.ts";
import {
  failureOf,
  onlyServer,
  openScenario,
  readObject,
  type Scenario,
  takeHetznerCalls,
  productionBucket as bucket,
} from "./project/open-scenario.ts";
import { openShippedStack } from "./project/open-stack.ts";

// The laptop with the state is lost, and the machine runs on. Every test goes on where the one before it ended.
let scenario: Scenario;
let stack: Stack;
let old: Server;

beforeAll(async () => {
  scenario = await openScenario();
  await scenario.stack.up();
  old = onlyServer(scenario);
  stack = await loseState(scenario.stack);
});
afterAll(() => scenario[Symbol.asyncDispose]());

test("an up without the state does not touch the machine that still runs", async () => {
  const before = structuredClone(old);
  const sentinel = await readObject(scenario, bucket, "lifeboat.json");
  expect(await failureOf(stack.up())).toMatch(/uniqueness_error|already used/);
  expect(onlyServer(scenario)).toEqual(before);
  expect(takeHetznerCalls(scenario).filter((call) => /servers|volumes|DELETE/.test(call))).toEqual([]);
  expect(await readObject(scenario, bucket, "lifeboat.json")).toEqual(sentinel);
});

test("once the old server is deleted, an up takes its address, its volume and its key over", async () => {
  await deleteServer(old);
  takeHetznerCalls(scenario);
  await stack.up();
  const server = onlyServer(scenario);
  expect(server.id).not.toBe(old.id);
  expect(server.public_net.ipv4).toEqual(old.public_net.ipv4);
  expect(server.volumes).toHaveLength(1);
  expect([...scenario.hetzner.cloud.volumes.keys()]).toEqual(server.volumes);
  const calls = takeHetznerCalls(scenario);
  expect(calls.filter((call) => /^POST (ssh_keys|primary_ips|volumes)(\/[^/]+)?$/.test(call))).toEqual([]);
  expect(scenario.machines.running.has(server.id)).toBe(true);
});

test("the up after that has nothing to change", async () => {
  const { summary } = await stack.up();
  expect(Object.keys(summary.resourceChanges ?? {})).toEqual(["same"]);
  expect(takeHetznerCalls(scenario)).toEqual([]);
});

test("a destroy of what such an up has made does not touch the machine either", async () => {
  const before = structuredClone(onlyServer(scenario));
  const again = await loseState(stack);
  await failureOf(again.up());
  await again.destroy();
  expect(onlyServer(scenario)).toEqual(before);
  expect(scenario.hetzner.cloud.primary_ips.get(before.public_net.ipv4?.id ?? 0)?.assignee_id).toBe(before.id);
});

/** The same stack on a new computer. */
async function loseState(known: Stack): Promise<Stack> {
  await known.workspace.removeStack("production", { force: true });
  const empty = await openShippedStack(scenario, await checkOut(scenario));
  takeHetznerCalls(scenario);
  return empty;
}

/** As a person does it in Hetzner's console. */
async function deleteServer({ id }: Server): Promise<void> {
  const { endpoint, token } = scenario.hetzner;
  const headers = { authorization: `Bearer ${token}` };
  const remove = async () => {
    const { ok } = await fetch(`${endpoint}/servers/${id}`, { method: "DELETE", headers });
    return ok ? true : null;
  };
  await waitFor("the deletion", remove, { timeoutMs: 5_000 });
}
