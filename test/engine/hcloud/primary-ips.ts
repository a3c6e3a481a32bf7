import { Type } from "typebox";

import { findEntry, type Location, locations } from "./catalogue.ts";
import { type Action, addressOf, type Cloud, demand, type PrimaryIp, type Server } from "./cloud.ts";
import { invalidInput, readBody, Refusal } from "./refusal.ts";
import type { Act, Shelf } from "./shelf.ts";

export const primaryIpShelf: Shelf<PrimaryIp> = {
  one: "primary_ip",
  tableOf: (cloud) => cloud.primary_ips,
  create: createPrimaryIp,
  act: actOnPrimaryIp,
  remove: deletePrimaryIp,
};

const NewPrimaryIp = Type.Object({
  name: Type.String({ minLength: 1 }),
  type: Type.Union([Type.Literal("ipv4"), Type.Literal("ipv6")]),
  location: Type.Optional(Type.String()),
  assignee_type: Type.Optional(Type.Literal("server")),
  assignee_id: Type.Optional(Type.Number()),
  auto_delete: Type.Optional(Type.Boolean()),
  labels: Type.Optional(Type.Record(Type.String(), Type.String())),
});

/** POST /primary_ips: in a location, or for a server, which then gives its location. */
function createPrimaryIp(cloud: Cloud, body: unknown): { primary_ip: PrimaryIp; action: Action | null } {
  const { location, assignee_id: assigneeId, ...wanted } = readBody(NewPrimaryIp, body);
  if ((location === undefined) === (assigneeId === undefined)) {
    throw invalidInput("exactly one of location and assignee_id is needed");
  }
  const server = assigneeId === undefined ? null : demand(cloud.servers, assigneeId, "server");
  const place = server?.location ?? findEntry(locations, location ?? "", "location");
  const primary_ip = addPrimaryIp(cloud, place, wanted);
  if (server === null) return { primary_ip, action: null };
  return { primary_ip, action: assign(cloud, primary_ip, server) };
}

/** Adds an address that belongs to nobody yet. */
export function addPrimaryIp(
  cloud: Cloud,
  location: Location,
  wanted: { name: string; type: "ipv4" | "ipv6"; auto_delete?: boolean; labels?: Record<string, string> },
): PrimaryIp {
  const { type, auto_delete = false } = wanted;
  const common = cloud.introduce("primary_ips", wanted);
  const rest = {
    assignee_type: "server",
    assignee_id: null,
    blocked: false,
    dns_ptr: [],
    protection: { delete: false },
  };
  const primaryIp = { ...common, ...rest, type, auto_delete, location, ip: addressOf(type, common.id) };
  cloud.primary_ips.set(primaryIp.id, primaryIp);
  return primaryIp;
}

/** POST /primary_ips/ID/actions/VERB */
function actOnPrimaryIp(cloud: Cloud, primaryIp: PrimaryIp, { verb, body }: Act) {
  switch (verb) {
    case "assign": {
      const { assignee_id } = readBody(Type.Object({ assignee_id: Type.Number() }), body);
      return { action: assign(cloud, primaryIp, demand(cloud.servers, assignee_id, "server")) };
    }
    case "unassign":
      return { action: unassign(cloud, primaryIp) };
    case "change_protection":
      primaryIp.protection = readBody(Type.Object({ delete: Type.Boolean() }), body);
      return { action: cloud.begin({ command: verb, resources: [{ type: "primary_ip", id: primaryIp.id }] }) };
    default:
      throw new Refusal(404, "not_found", `primary IPs have no action ${verb}`);
  }
}

/** DELETE /primary_ips/ID: refused while it is assigned or protected. */
function deletePrimaryIp(cloud: Cloud, { id, name, assignee_id, protection }: PrimaryIp): null {
  if (protection.delete) throw new Refusal(423, "protected", `primary IP ${name} is protected`);
  if (assignee_id !== null) throw new Refusal(422, "must_be_unassigned", `primary IP ${name} must be unassigned`);
  cloud.primary_ips.delete(id);
  return null;
}

function assign(cloud: Cloud, primaryIp: PrimaryIp, server: Server): Action {
  if (primaryIp.assignee_id !== null) {
    throw new Refusal(422, "primary_ip_assigned", `primary IP ${primaryIp.name} is already assigned`);
  }
  demandStopped(server);
  if (primaryIp.location.id !== server.location.id)
    throw invalidInput("primary IP and server are in different locations");
  primaryIp.assignee_id = server.id;
  server.public_net[primaryIp.type] = { id: primaryIp.id, ip: primaryIp.ip };
  return cloud.begin({
    command: "assign_primary_ip",
    resources: [
      { type: "primary_ip", id: primaryIp.id },
      { type: "server", id: server.id },
    ],
  });
}

function unassign(cloud: Cloud, primaryIp: PrimaryIp): Action {
  const server = cloud.servers.get(primaryIp.assignee_id ?? 0);
  if (server === undefined) throw invalidInput(`primary IP ${primaryIp.name} is not assigned`);
  demandStopped(server);
  primaryIp.assignee_id = null;
  server.public_net[primaryIp.type] = null;
  return cloud.begin({ command: "unassign_primary_ip", resources: [{ type: "primary_ip", id: primaryIp.id }] });
}

// docs.hetzner.cloud, "Assign a Primary IP to a resource": the server has to be powered off.
function demandStopped({ name, status }: Server): void {
  if (status !== "off") throw new Refusal(422, "server_not_stopped", `server ${name} must be powered off`);
}
