import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";

import { runCommand } from "../build/run-command.ts";
import { type Metadata, metadataAddress, startMetadataService } from "./metadata-service.ts";
import type { ServerImage } from "./server-image.ts";
import { type Forward, VirtualMachine } from "./virtual-machine.ts";

export type ServerOptions = Readonly<
  Omit<Metadata, "mac" | "sshKeys" | "location" | "vendorData"> & {
    image: ServerImage;
    /** Its root disk and its console go into a folder of its own here. */
    directory: string;
    sshKeys?: readonly string[];
    location?: string;
    vendorData?: string;
    /** The ports that are reached from this computer. Default: 22, 80 and 443 of `ipv4`, an address of loopback's. */
    forwards?: readonly Forward[];
    cpus?: number;
    memoryMb?: number;
  }
>;

const copyLimitMs = 120_000;
const powerDownLimitMs = 120_000;
const defaults = { cpus: 2, memoryMb: 1024 };
const openPorts = [22, 80, 443];

/** The ports of a server at an address of this computer's loopback. */
export function forwardsOf(address: string): Forward[] {
  return openPorts.map((port) => ({ address, port, guestPort: port }));
}

/**
 * A server as Hetzner rents them out, emulated: it has a number, a metadata service with its user-data, a root disk
 * that lives as long as the server, volumes that come and go while it runs, and a power button.
 */
export class HetznerServer implements AsyncDisposable {
  readonly id: number;
  readonly #options: ServerOptions;
  readonly #folder: string;
  readonly #volumes = new Map<string, string>();
  readonly #forwards: Forward[];
  readonly #cleanup = new AsyncDisposableStack();
  #metadataPort = 0;
  #machine: VirtualMachine | null = null;

  private constructor(options: ServerOptions) {
    this.id = options.id;
    this.#options = options;
    this.#folder = join(options.directory, `server-${options.id}`);
    this.#forwards = [...(options.forwards ?? forwardsOf(options.ipv4))];
  }

  /** Makes the server and switches it on. Does not wait until it has booted. */
  static async start(options: ServerOptions): Promise<HetznerServer> {
    const server = new HetznerServer(options);
    try {
      await server.#prepare();
      await server.powerOn();
      return server;
    } catch (error) {
      await server.delete();
      throw error;
    }
  }

  get isOn(): boolean {
    return this.#machine?.isOn === true;
  }

  /** The emulated machine of its current run. Throws while it is off. */
  get machine(): VirtualMachine {
    if (this.#machine === null || !this.#machine.isOn) throw new Error(`server ${this.id} is off`);
    return this.#machine;
  }

  /** Switches it on, with the disks that it has. */
  async powerOn(): Promise<void> {
    const { image, cpus = defaults.cpus, memoryMb = defaults.memoryMb } = this.#options;
    const { kernel, initrd } = image;
    const machine = await VirtualMachine.start({
      kernel,
      initrd,
      append: "root=LABEL=root ro net.ifnames=0",
      cpus,
      memoryMb,
      disks: [{ file: join(this.#folder, "root") }],
      console: join(this.#folder, "console.log"),
      serverId: this.id,
      network: { mac: macOf(this.id), services: [{ ...metadataAddress, localPort: this.#metadataPort }] },
      mayRestart: true,
    });
    this.#machine = machine;
    for (const forward of this.#forwards) await machine.forward(forward);
    for (const [serial, file] of this.#volumes) await machine.attachVolume(serial, file);
  }

  /** Attaches a volume, now if it runs, and at every start. `file` is its content. */
  async attachVolume(volumeId: number, file: string): Promise<void> {
    this.#volumes.set(String(volumeId), file);
    if (this.isOn) await this.machine.attachVolume(String(volumeId), file);
  }

  async detachVolume(volumeId: number): Promise<void> {
    this.#volumes.delete(String(volumeId));
    if (this.isOn) await this.machine.detachVolume(String(volumeId));
  }

  /** Lets one more port of this computer lead to the server, at each of its starts too. */
  async forward(forward: Forward): Promise<void> {
    this.#forwards.push(forward);
    if (this.isOn) await this.machine.forward(forward);
  }

  /** Gives ports back, so that another server can have them. Open connections stay. */
  async unforward(given: readonly Forward[]): Promise<void> {
    for (const { address, port } of given) {
      const index = this.#forwards.findIndex((forward) => forward.address === address && forward.port === port);
      const [forward] = index < 0 ? [] : this.#forwards.splice(index, 1);
      if (forward !== undefined && this.isOn) await this.machine.unforward(forward);
    }
  }

  /** Presses the power button, and waits until the system has stopped. */
  async powerDown(): Promise<void> {
    const { machine } = this;
    await machine.powerDown();
    await machine.waitForEnd(powerDownLimitMs);
  }

  /** Cuts the power; disks and volumes stay as they are. */
  async powerOff(): Promise<void> {
    await this.#machine?.kill();
  }

  /** Cuts the power and deletes the root disk. Volumes stay. */
  async delete(): Promise<void> {
    await this.powerOff();
    await this.#cleanup.disposeAsync();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** All that it has written to its console. */
  readConsole(): string {
    return this.#machine?.readConsole() ?? "";
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.delete();
  }

  async #prepare(): Promise<void> {
    const { image, sshKeys = [], location = "fsn1", vendorData = "", ...rest } = this.#options;
    mkdirSync(this.#folder, { recursive: true });
    const copy = ["--sparse=always", "--reflink=auto", image.disk, join(this.#folder, "root")];
    await runCommand("cp", copy, { timeoutMs: copyLimitMs });
    const { id, name, ipv4, userData } = rest;
    const metadata = { id, name, ipv4, userData, sshKeys, location, vendorData, mac: macOf(this.id) };
    this.#metadataPort = this.#cleanup.use(await startMetadataService(metadata)).port;
  }
}

/** Hetzner's cards begin with 96:00. */
function macOf(id: number): string {
  const bytes = [24, 16, 8, 0].map((shift) => ((id >> shift) & 255).toString(16).padStart(2, "0"));
  return ["96", "00", ...bytes].join(":");
}
