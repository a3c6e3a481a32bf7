import { Type } from "typebox";

import { findEntry, locations } from "./catalogue.ts";
import { type Action, type Cloud, demand, type Server, type Volume } from "./cloud.ts";
import { invalidInput, readBody, Refusal } from "./refusal.ts";
import type { Act, Shelf } from "./shelf.ts";

export const volumeShelf: Shelf<Volume> = {
  one: "volume",
  tableOf: (cloud) => cloud.volumes,
  create: createVolume,
  act: actOnVolume,
  remove: deleteVolume,
};

const NewVolume = Type.Object({
  name: Type.String({ minLength: 1 }),
  size: Type.Integer({ minimum: 10, maximum: 10_240 }),
  location: Type.Optional(Type.Union([Type.String(), Type.Number()])),
  server: Type.Optional(Type.Number()),
  format: Type.Optional(Type.Union([Type.Literal("ext4"), Type.Literal("xfs")])),
  automount: Type.Optional(Type.Boolean()),
  labels: Type.Optional(Type.Record(Type.String(), Type.String())),
});

/** POST /volumes: in a location, or on a server, which then gives its location; never both. */
function createVolume(cloud: Cloud, body: unknown) {
  const wanted = readBody(NewVolume, body);
  if ((wanted.location === undefined) === (wanted.server === undefined)) {
    throw invalidInput("exactly one of location and server is needed");
  }
  if (wanted.automount === true && (wanted.format === undefined || wanted.server === undefined)) {
    throw invalidInput("automount needs a server and a format");
  }
  const server = wanted.server === undefined ? null : demand(cloud.servers, wanted.server, "server");
  if (server !== null) cloud.demandUnlocked("server", server.id);
  const location = server?.location ?? findEntry(locations, wanted.location ?? "", "location");
  const common = cloud.introduce("volumes", wanted);
  const linux_device = `/dev/disk/by-id/scsi-0HC_Volume_${common.id}`;
  const rest = { size: wanted.size, server: null, location, linux_device, format: wanted.format ?? null };
  const volume: Volume = { ...common, ...rest, protection: { delete: false } };
  cloud.volumes.set(volume.id, volume);
  const action = beginOn(cloud, volume, { command: "create_volume", work: cloud.hardware.makeVolume(volume) });
  return { volume, action, next_actions: server === null ? [] : [attach(cloud, volume, server)] };
}

/** POST /volumes/ID/actions/VERB. Detaching asks nobody on the machine: a mounted file system loses its disk. */
function actOnVolume(cloud: Cloud, volume: Volume, { verb, body }: Act) {
  cloud.demandUnlocked("volume", volume.id);
  switch (verb) {
    case "attach": {
      const { server } = readBody(Type.Object({ server: Type.Number() }), body);
      return { action: attach(cloud, volume, demand(cloud.servers, server, "server")) };
    }
    case "detach":
      return { action: detach(cloud, volume) };
    case "resize": {
      const { size } = readBody(Type.Object({ size: Type.Integer({ maximum: 10_240 }) }), body);
      if (size <= volume.size) throw invalidInput(`volume ${volume.name} can only grow`);
      volume.size = size;
      return { action: beginOn(cloud, volume, { command: "resize_volume", work: cloud.hardware.growVolume(volume) }) };
    }
    case "change_protection":
      volume.protection = readBody(Type.Object({ delete: Type.Boolean() }), body);
      return { action: beginOn(cloud, volume, { command: verb, work: Promise.resolve() }) };
    default:
      throw new Refusal(404, "not_found", `volumes have no action ${verb}`);
  }
}

/** DELETE /volumes/ID: refused while it is attached or protected. */
function deleteVolume(cloud: Cloud, volume: Volume): null {
  const { id, name, server, protection } = volume;
  cloud.demandUnlocked("volume", id);
  if (protection.delete) throw new Refusal(423, "protected", `volume ${name} is protected`);
  if (server !== null) throw new Refusal(409, "resource_in_use", `volume ${name} is attached to server ${server}`);
  cloud.volumes.delete(id);
  void cloud.hardware.removeVolume(volume);
  return null;
}

function attach(cloud: Cloud, volume: Volume, server: Server): Action {
  if (volume.server !== null) {
    throw new Refusal(409, "volume_already_attached", `volume ${volume.name} is already attached`);
  }
  if (volume.location.id !== server.location.id) throw invalidInput("volume and server are in different locations");
  cloud.demandUnlocked("server", server.id);
  volume.server = server.id;
  server.volumes.push(volume.id);
  return beginOn(cloud, volume, { command: "attach_volume", work: cloud.hardware.attach(volume, server) });
}

function detach(cloud: Cloud, volume: Volume): Action {
  const server = cloud.servers.get(volume.server ?? 0);
  if (server === undefined) throw invalidInput(`volume ${volume.name} is not attached`);
  server.volumes = server.volumes.filter((id) => id !== volume.id);
  volume.server = null;
  return beginOn(cloud, volume, { command: "detach_volume", work: cloud.hardware.detach(volume, server) });
}

type Begun = Readonly<{ command: string; work: Promise<void> }>;

function beginOn(cloud: Cloud, { id, server }: Volume, begun: Begun): Action {
  const onServer = server === null ? [] : [{ type: "server", id: server }];
  return cloud.begin({ ...begun, resources: [{ type: "volume", id }, ...onServer] });
}
