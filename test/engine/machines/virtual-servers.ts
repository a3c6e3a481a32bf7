import { rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { HetznerServer } from "../../../scripts/virtual/hetzner-server.ts";
import { hostAddress } from "../../../scripts/virtual/qemu-arguments.ts";
import { makeServerImage, type Suite } from "../../../scripts/virtual/server-image.ts";
import { renderVendorData } from "../../../scripts/virtual/vendor-data.ts";
import type { Hardware, Server, Volume } from "../hcloud/cloud.ts";

type Place = Readonly<{
  directory: string;
  /** Ports of this computer's loopback that every machine finds on its own loopback too. */
  doors: readonly number[];
  /** What every machine trusts, in PEM. */
  authority: string;
}>;

const suiteOf: Record<string, Suite> = { "debian-12": "bookworm", "debian-13": "trixie" };
const gibibyte = 1024 ** 3;

/** Real machines behind the servers of the double: each boots its user-data in QEMU, at its own address of loopback. */
export class VirtualServers implements Hardware, AsyncDisposable {
  readonly #place: Place;
  readonly #servers = new Map<number, HetznerServer>();

  constructor(place: Place) {
    this.#place = place;
  }

  /** The machine behind a server. Throws when there is none. */
  demand({ id, name }: Pick<Server, "id" | "name">): HetznerServer {
    const server = this.#servers.get(id);
    if (server === undefined) throw new Error(`no machine stands behind server ${name} (${id})`);
    return server;
  }

  make = async (server: Server): Promise<void> => {
    const { id, name, image, user_data: userData, location } = server;
    const suite = suiteOf[image.name];
    if (suite === undefined) throw new Error(`there is no image ${image.name} for a virtual machine`);
    const made = await HetznerServer.start({
      id,
      name,
      ipv4: server.public_net.ipv4?.ip ?? "",
      userData,
      location: location.name,
      image: await makeServerImage(suite),
      directory: this.#place.directory,
      vendorData: renderVendorData(this.#place.authority, openDoors(this.#place.doors)),
    });
    this.#servers.set(id, made);
  };

  remove = async (server: Server): Promise<void> => {
    await this.demand(server).delete();
    this.#servers.delete(server.id);
  };

  powerOn = (server: Server): Promise<void> => this.demand(server).powerOn();
  powerOff = (server: Server): Promise<void> => this.demand(server).powerOff();
  shutDown = (server: Server): Promise<void> => this.demand(server).powerDown();

  makeVolume = async (volume: Volume): Promise<void> => {
    writeFileSync(this.#fileOf(volume), "");
    await this.growVolume(volume);
  };

  removeVolume = async (volume: Volume): Promise<void> => rmSync(this.#fileOf(volume), { force: true });
  growVolume = async (volume: Volume): Promise<void> => truncateSync(this.#fileOf(volume), volume.size * gibibyte);
  attach = (volume: Volume, server: Server): Promise<void> =>
    this.demand(server).attachVolume(volume.id, this.#fileOf(volume));
  detach = (volume: Volume, server: Server): Promise<void> => this.demand(server).detachVolume(volume.id);

  #fileOf({ id }: Volume): string {
    return join(this.#place.directory, `volume-${id}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#servers.values()].map((server) => server.delete()));
    this.#servers.clear();
  }
}

/** Commands that let a machine reach these ports of this computer under the URLs that are used here. */
function openDoors(doors: readonly number[]): string[] {
  const proxy = "/usr/lib/systemd/systemd-socket-proxyd";
  // The system waits for cloud-init, and systemd-run for the socket, which so must wait for nothing.
  const run = "systemd-run --quiet --no-block --socket-property=DefaultDependencies=no";
  return doors.map(
    (port) =>
      `${run} --unit=door-${port} --socket-property=ListenStream=127.0.0.1:${port} ${proxy} ${hostAddress}:${port}`,
  );
}
