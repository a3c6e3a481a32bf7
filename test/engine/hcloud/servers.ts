import { type Static, Type } from "typebox";

import { findEntry, images, isSoldOut, type Location, locations, type ServerType, serverTypes } from "./catalogue.ts";
import { type Action, type Cloud, demand, type NetAddress, type PrimaryIp, type Server } from "./cloud.ts";
import { addPrimaryIp } from "./primary-ips.ts";
import { invalidInput, readBody, Refusal } from "./refusal.ts";
import type { Act, Shelf } from "./shelf.ts";

export const serverShelf: Shelf<Server> = {
  one: "server",
  tableOf: (cloud) => cloud.servers,
  create: createServer,
  act: actOnServer,
  remove: deleteServer,
};

// docs.hetzner.cloud, "Create a Server": user_data is limited to 32 KiB.
const userDataLimitBytes = 32 * 1024;

const NewServer = Type.Object({
  name: Type.String({ pattern: "^[a-zA-Z0-9]([a-zA-Z0-9.-]{0,61}[a-zA-Z0-9])?$" }),
  server_type: Type.Union([Type.String(), Type.Number()]),
  image: Type.Union([Type.String(), Type.Number()]),
  location: Type.Optional(Type.Union([Type.String(), Type.Number()])),
  ssh_keys: Type.Optional(Type.Array(Type.Number())),
  user_data: Type.Optional(Type.String()),
  firewalls: Type.Optional(Type.Array(Type.Object({ firewall: Type.Number() }))),
  public_net: Type.Optional(
    Type.Object({
      enable_ipv4: Type.Boolean(),
      enable_ipv6: Type.Boolean(),
      ipv4: Type.Optional(Type.Union([Type.Number(), Type.Null()])),
      ipv6: Type.Optional(Type.Union([Type.Number(), Type.Null()])),
    }),
  ),
  labels: Type.Optional(Type.Record(Type.String(), Type.String())),
});
type NewServer = Static<typeof NewServer>;

/** POST /servers: the one call that sold-out hardware refuses. */
function createServer(cloud: Cloud, body: unknown) {
  const wanted = readBody(NewServer, body);
  const serverType = findEntry(serverTypes, wanted.server_type, "server type");
  const location = findEntry(locations, wanted.location ?? "fsn1", "location");
  const image = findEntry(
    images.filter(({ architecture }) => architecture === serverType.architecture),
    wanted.image,
    `image for ${serverType.architecture}`,
  );
  const userData = wanted.user_data ?? "";
  if (Buffer.byteLength(userData) > userDataLimitBytes) throw invalidInput("user_data is longer than 32 KiB");
  for (const key of wanted.ssh_keys ?? []) demand(cloud.ssh_keys, key, "SSH key");
  demandAvailable(cloud, serverType, location);
  const common = cloud.introduce("servers", wanted);
  const place = { server_type: serverType, image, location };
  const net = connect(cloud, { wanted, location, serverId: common.id });
  const server = {
    ...common,
    ...place,
    ...unusedParts,
    ...net,
    user_data: userData,
    ssh_keys: wanted.ssh_keys ?? [],
    backup_window: null,
  };
  cloud.servers.set(server.id, server);
  const start = [beginOn(cloud, server, { command: "start_server" })];
  const action = beginOn(cloud, server, { command: "create_server", work: cloud.hardware.make(server) });
  return { server, action, next_actions: start, root_password: null };
}

/** POST /servers/ID/actions/VERB */
function actOnServer(cloud: Cloud, server: Server, { verb, body }: Act) {
  cloud.demandUnlocked("server", server.id);
  const { hardware } = cloud;
  switch (verb) {
    case "shutdown": {
      // The action ends when the button is pressed. The server is off when its system has ended.
      const off = hardware.shutDown(server).then(() => void (server.status = "off"));
      return { action: beginOn(cloud, server, { command: "shutdown_server", work: Promise.race([off, pressed()]) }) };
    }
    case "poweroff": {
      const begun = { command: "stop_server", work: hardware.powerOff(server) };
      return { action: beginOn(cloud, server, begun, () => (server.status = "off")) };
    }
    case "poweron": {
      const begun = { command: "start_server", work: hardware.powerOn(server) };
      return { action: beginOn(cloud, server, begun, () => (server.status = "running")) };
    }
    case "change_type": {
      if (server.status !== "off") throw new Refusal(422, "server_not_stopped", `server ${server.name} is not stopped`);
      const { server_type } = readBody(Type.Object({ server_type: Type.Union([Type.String(), Type.Number()]) }), body);
      const wanted = findEntry(serverTypes, server_type, "server type");
      if (wanted.architecture !== server.server_type.architecture) throw invalidInput("the architectures differ");
      demandAvailable(cloud, wanted, server.location);
      // docs.hetzner.cloud, "Change the Type of a Server": the server has to be off, and is started again.
      const change = () => Object.assign(server, { server_type: wanted, status: "running" });
      return { action: beginOn(cloud, server, { command: verb, work: hardware.powerOn(server) }, change) };
    }
    case "change_protection": {
      const wanted = readBody(Type.Object({ delete: Type.Boolean(), rebuild: Type.Boolean() }), body);
      // docs.hetzner.cloud, "Change Server Protection": the two have to be the same.
      if (wanted.delete !== wanted.rebuild) throw invalidInput("delete and rebuild need to have the same value");
      server.protection = wanted;
      return { action: beginOn(cloud, server, { command: verb }) };
    }
    // docs.hetzner.cloud, "Enable and Configure Backups for a Server": the window is Hetzner's choice.
    case "enable_backup":
    case "disable_backup":
      server.backup_window = verb === "enable_backup" ? "22-02" : null;
      return { action: beginOn(cloud, server, { command: verb }) };
    default:
      throw new Refusal(404, "not_found", `servers have no action ${verb}`);
  }
}

/** DELETE /servers/ID: at the end of it volumes are detached, addresses set free (or deleted, if they say so). */
function deleteServer(cloud: Cloud, server: Server): { action: Action } {
  const { id, name } = server;
  cloud.demandUnlocked("server", id);
  if (server.protection.delete) throw new Refusal(423, "protected", `server ${name} is protected`);
  const remove = () => removeServer(cloud, id);
  return { action: beginOn(cloud, server, { command: "delete_server", work: cloud.hardware.remove(server) }, remove) };
}

function removeServer(cloud: Cloud, id: number): void {
  for (const volume of cloud.volumes.values()) if (volume.server === id) volume.server = null;
  for (const address of [...cloud.primary_ips.values()].filter(({ assignee_id }) => assignee_id === id)) {
    if (address.auto_delete) cloud.primary_ips.delete(address.id);
    else address.assignee_id = null;
  }
  cloud.servers.delete(id);
}

// Parts of the answer that the provider demands and nobody here looks at.
const unusedParts = {
  status: "running" as const,
  private_net: [],
  iso: null,
  rescue_enabled: false,
  locked: false,
  load_balancers: [],
  outgoing_traffic: 0,
  ingoing_traffic: 0,
  included_traffic: 1,
  primary_disk_size: 80,
  placement_group: null,
  protection: { delete: false, rebuild: false },
};

function demandAvailable({ faults }: Cloud, { name: type, locations: sold }: ServerType, { name: location }: Location) {
  if (!sold.some(({ name }) => name === location)) throw invalidInput(`unsupported location for server type ${type}`);
  if (!isSoldOut([...faults.soldOut, ...faults.soldOutMeanwhile], type, location)) return;
  throw new Refusal(412, "resource_unavailable", `server type ${type} is unavailable in ${location}`);
}

type Connection = Readonly<{ wanted: NewServer; location: Location; serverId: number }>;

function connect(cloud: Cloud, { wanted, location, serverId }: Connection) {
  const { enable_ipv4 = true, enable_ipv6 = true, ipv4, ipv6 } = wanted.public_net ?? {};
  const take = (type: "ipv4" | "ipv6", id: number | null | undefined): NetAddress => {
    const address = id ? demand(cloud.primary_ips, id, "primary IP") : makeOwnAddress(cloud, type, location);
    demandFree(address, location);
    address.assignee_id = serverId;
    return { id: address.id, ip: address.ip };
  };
  const firewalls = (wanted.firewalls ?? []).map(({ firewall }) => {
    return { id: demand(cloud.firewalls, firewall, "firewall").id, status: "applied" };
  });
  const addresses = { ipv4: enable_ipv4 ? take("ipv4", ipv4) : null, ipv6: enable_ipv6 ? take("ipv6", ipv6) : null };
  return { public_net: { ...addresses, firewalls, floating_ips: [] }, volumes: [] };
}

/** A server that brings no address gets one that lives as long as itself. */
function makeOwnAddress(cloud: Cloud, type: "ipv4" | "ipv6", location: Location): PrimaryIp {
  const name = `primary_ip-${cloud.primary_ips.size + 1}-${type}-${Date.now()}`;
  return addPrimaryIp(cloud, location, { name, type, auto_delete: true });
}

function demandFree({ name, assignee_id, location }: PrimaryIp, wanted: Location): void {
  if (assignee_id !== null) throw new Refusal(422, "primary_ip_assigned", `primary IP ${name} is already assigned`);
  if (location.id !== wanted.id) throw invalidInput(`primary IP ${name} is in another location`);
}

type Begun = Readonly<{ command: string; work?: Promise<void> }>;

function beginOn(cloud: Cloud, { id }: Server, begun: Begun, effect?: () => void): Action {
  return cloud.begin({ ...begun, resources: [{ type: "server", id }] }, effect);
}

async function pressed(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 20));
}
