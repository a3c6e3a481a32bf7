import { isIP } from "node:net";

import { type Static, Type } from "typebox";

import { type Action, type Cloud, demand, type Firewall } from "./cloud.ts";
import { invalidInput, readBody, Refusal } from "./refusal.ts";
import type { Act, Shelf } from "./shelf.ts";

export const firewallShelf: Shelf<Firewall> = {
  one: "firewall",
  tableOf: (cloud) => cloud.firewalls,
  create: createFirewall,
  act: actOnFirewall,
  remove: deleteFirewall,
};

const Rule = Type.Object({
  direction: Type.Union([Type.Literal("in"), Type.Literal("out")]),
  protocol: Type.Enum(["tcp", "udp", "icmp", "esp", "gre"]),
  port: Type.Optional(Type.Union([Type.String(), Type.Null()])),
  source_ips: Type.Optional(Type.Array(Type.String())),
  destination_ips: Type.Optional(Type.Array(Type.String())),
  description: Type.Optional(Type.Union([Type.String(), Type.Null()])),
});
const Target = Type.Object({ type: Type.Literal("server"), server: Type.Object({ id: Type.Number() }) });
const NewFirewall = Type.Object({
  name: Type.String({ minLength: 1 }),
  rules: Type.Optional(Type.Array(Rule, { maxItems: 50 })),
  apply_to: Type.Optional(Type.Array(Target)),
  labels: Type.Optional(Type.Record(Type.String(), Type.String())),
});

/** POST /firewalls */
function createFirewall(cloud: Cloud, body: unknown): { firewall: Firewall; actions: Action[] } {
  const wanted = readBody(NewFirewall, body);
  const rules = (wanted.rules ?? []).map(acceptRule);
  const firewall = { ...cloud.introduce("firewalls", wanted), rules, applied_to: [] };
  cloud.firewalls.set(firewall.id, firewall);
  const applied = (wanted.apply_to ?? []).map((target) => applyTo(cloud, firewall, target.server.id));
  return { firewall, actions: [beginRules(cloud, firewall), ...applied] };
}

/** POST /firewalls/ID/actions/VERB */
function actOnFirewall(cloud: Cloud, firewall: Firewall, { verb, body }: Act) {
  switch (verb) {
    case "set_rules":
      firewall.rules = readBody(Type.Object({ rules: Type.Array(Rule, { maxItems: 50 }) }), body).rules.map(acceptRule);
      return { actions: [beginRules(cloud, firewall)] };
    case "apply_to_resources": {
      const { apply_to } = readBody(Type.Object({ apply_to: Type.Array(Target) }), body);
      return { actions: apply_to.map(({ server }) => applyTo(cloud, firewall, server.id)) };
    }
    case "remove_from_resources": {
      const { remove_from } = readBody(Type.Object({ remove_from: Type.Array(Target) }), body);
      return { actions: remove_from.map(({ server }) => removeFrom(cloud, firewall, server.id)) };
    }
    default:
      throw new Refusal(404, "not_found", `firewalls have no action ${verb}`);
  }
}

/** DELETE /firewalls/ID: refused while a server uses it. */
function deleteFirewall(cloud: Cloud, { id, name }: Firewall): null {
  const users = [...cloud.servers.values()].filter(({ public_net }) =>
    public_net.firewalls.some((one) => one.id === id),
  );
  if (users.length > 0) throw new Refusal(409, "resource_in_use", `firewall ${name} is still in use`);
  cloud.firewalls.delete(id);
  return null;
}

function beginRules(cloud: Cloud, { id }: Firewall): Action {
  return cloud.begin({ command: "set_firewall_rules", resources: [{ type: "firewall", id }] });
}

function applyTo(cloud: Cloud, { id }: Firewall, serverId: number): Action {
  const server = demand(cloud.servers, serverId, "server");
  server.public_net.firewalls = [
    ...server.public_net.firewalls.filter((one) => one.id !== id),
    { id, status: "applied" },
  ];
  return cloud.begin({
    command: "apply_firewall",
    resources: [
      { type: "firewall", id },
      { type: "server", id: serverId },
    ],
  });
}

function removeFrom(cloud: Cloud, { id }: Firewall, serverId: number): Action {
  const server = demand(cloud.servers, serverId, "server");
  server.public_net.firewalls = server.public_net.firewalls.filter((one) => one.id !== id);
  return cloud.begin({
    command: "remove_firewall",
    resources: [
      { type: "firewall", id },
      { type: "server", id: serverId },
    ],
  });
}

function acceptRule(rule: Static<typeof Rule>) {
  const { direction, protocol, port = null, source_ips = [], destination_ips = [], description = null } = rule;
  const needsPort = protocol === "tcp" || protocol === "udp";
  if (needsPort !== (port !== null))
    throw invalidInput(`rules: port is for tcp and udp, and needed there (${protocol})`);
  const networks = direction === "in" ? source_ips : destination_ips;
  if (networks.length === 0) throw invalidInput(`rules: a rule for direction ${direction} needs addresses`);
  for (const network of networks) demandNetwork(network);
  return { direction, protocol, port, source_ips, destination_ips, description };
}

function demandNetwork(network: string): void {
  const [address = "", prefix = ""] = network.split("/");
  const bits = isIP(address) === 4 ? 32 : 128;
  if (isIP(address) === 0 || !/^\d+$/.test(prefix) || Number(prefix) > bits) {
    throw invalidInput(`rules: ${network} is no network in CIDR notation`);
  }
}
