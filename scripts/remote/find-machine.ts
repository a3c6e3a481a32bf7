import type { Stack } from "@pulumi/pulumi/automation/index.js";
import { Type } from "typebox";
import { Value } from "typebox/value";

import { Refused } from "../../app/cli/command-line.ts";
import { listResources, openStack } from "../engine/open-stack.ts";
import { findStoreEnvironment } from "../engine/plan.ts";
import { fetchHostKeys } from "../ssh/host-keys.ts";
import type { SshTarget } from "../ssh/ssh.ts";
import { openStoreAt } from "../store/open-store.ts";

type StackPart = Pick<Stack, "exportStack">;

const ServerSchema = Type.Object({
  type: Type.Literal("hcloud:index/server:Server"),
  id: Type.String({ minLength: 1 }),
  outputs: Type.Object({ ipv4Address: Type.String({ minLength: 1 }) }),
});
const FirewallSchema = Type.Object({
  type: Type.Literal("hcloud:index/firewall:Firewall"),
  outputs: Type.Object({ rules: Type.Array(Type.Object({ port: Type.Optional(Type.String()) })) }),
});

/** Whether the firewall lets somebody reach SSH, as the stack's state knows it. */
export async function isSshOpen(stack: StackPart): Promise<boolean> {
  const firewalls = (await listResources(stack)).filter((resource) => Value.Check(FirewallSchema, resource));
  return firewalls.length === 0 || firewalls.some(({ outputs }) => outputs.rules.some(({ port }) => port === "22"));
}

/**
 * Finds the machine of a stack, to be asked over SSH, with the host keys that it has told the bucket. Throws Refused
 * when there is none, no port is open for SSH, or nobody knows its keys.
 */
export async function findRunningMachine(name: string | undefined): Promise<SshTarget> {
  const stack = await openStack(name);
  const resources = await listResources(stack);
  const server = resources.find((resource) => Value.Check(ServerSchema, resource));
  const place = findStoreEnvironment(resources.map(({ inputs }) => inputs));
  if (server === undefined || place === undefined)
    throw new Refused(`stack ${stack.name} has no machine: there was no up, or a down. To have one: npm run up`);
  const { id, outputs } = server;
  if (!(await isSshOpen(stack)))
    throw new Refused(
      `SSH to server ${id} is closed: adminCidrs is empty. To open it for your network: pulumi config set --path 'adminCidrs[0]' "$(curl -4s ifconfig.me)/32", then npm run up`,
    );
  using store = await openStoreAt(stack, place);
  const hostKeys = (await fetchHostKeys(store, id)) ?? [];
  if (hostKeys.length === 0)
    throw new Refused(
      `server ${id} has not told the bucket its SSH host keys, so whoever answers may be somebody else: it is still being set up, or its bootstrap has failed. Its reports: npm run up`,
    );
  return { ip: outputs.ipv4Address, server: id, hostKeys };
}
