import { readFileSync, truncateSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";

import { waitFor } from "../../app/cli/wait-for.ts";
import { exitCodes } from "../../app/exit-codes.ts";
import { findFreePorts } from "../local/free-ports.ts";
import { type GuestBoot, readGuestBoot } from "../virtual/guest-boot.ts";
import { GuestShell, type ShellKey } from "../virtual/guest-shell.ts";
import { HetznerServer } from "../virtual/hetzner-server.ts";
import { type Finding, inspectMachine } from "../virtual/inspect-machine.ts";
import type { ServerImage } from "../virtual/server-image.ts";
import { type Forward } from "../virtual/virtual-machine.ts";
import type { DrillMachine } from "./drill-machine.ts";
import { HttpClient, type Target } from "./http-client.ts";

/** What every server of one drill shares. */
export type ServerSite = Readonly<{
  directory: string;
  image: ServerImage;
  userData: string;
  vendorData: string;
  /** The address of the stack, and its ports: whoever serves has them. */
  address: string;
  publicPorts: readonly Forward[];
  key: ShellKey;
  /** Who vouches for the machines' certificates. */
  ca: string;
  token: string;
}>;

/** A volume of the drill. */
export type Volume = Readonly<{ id: number; file: string }>;

const readyPollMs = 100;
// The other machine boots meanwhile.
const answerLimitMs = 1_800_000;
const volumeBytes = 10 * 1024 ** 3;
const wordsOfConsole = 30;
const firstId = 40_000_000;
let made = 0;

/** A blank volume. */
export function makeVolume(directory: string): Volume {
  made += 1;
  const volume = { id: firstId + made, file: join(directory, `volume-${made}`) };
  writeFileSync(volume.file, "");
  truncateSync(volume.file, volumeBytes);
  return volume;
}

const copyScript = readScript("copy-database");
const fenceScript = readScript("wait-for-fence");

/** A machine of the drill that is a server of its own, with a volume. */
export class ServerMachine implements DrillMachine {
  readonly name: string;
  readonly frost = "its processors stand still";
  readonly target: Target;
  readonly server: HetznerServer;
  readonly volume: Volume;
  readonly #site: ServerSite;
  readonly #shell: GuestShell;
  #lastWords: string | null = null;

  private constructor(
    target: Target,
    server: HetznerServer,
    rest: { volume: Volume; site: ServerSite; shell: number },
  ) {
    this.name = target.name;
    this.target = target;
    this.server = server;
    this.volume = rest.volume;
    this.#site = rest.site;
    this.#shell = new GuestShell({ address: rest.site.address, port: rest.shell, key: rest.site.key });
  }

  /** Starts a new server, and plugs its volume in, as Hetzner does, while it boots. Does not wait for it. */
  static async switchOn(name: string, site: ServerSite, volume: Volume): Promise<ServerMachine> {
    const { address, token, ca, key, publicPorts } = site;
    const [port = 0, shell = 0] = await findFreePorts(2);
    made += 1;
    const server = await HetznerServer.start({
      ...site,
      id: firstId + made,
      name: "lifeboat-drill",
      ipv4: address,
      sshKeys: [key.publicKey],
      forwards: [
        ...publicPorts,
        // Its own, so that a client of a frozen machine never meets its successor.
        { address, port, guestPort: 443 },
        { address, port: shell, guestPort: 22 },
      ],
    });
    await server.attachVolume(volume.id, volume.file);
    const target = { name, host: address, port, token, ca, answerLimitMs };
    return new ServerMachine(target, server, { volume, site, shell });
  }

  async waitUntilReady(timeoutMs: number): Promise<number> {
    using client = new HttpClient(this.target);
    const probe = async () => {
      if (!this.server.isOn) return { readyAt: null };
      const answer = await client.ask({ method: "GET", path: "/ready" }, 5000);
      return answer.status === 200 ? { readyAt: performance.now() } : null;
    };
    try {
      const { readyAt } = await waitFor(`/ready of machine ${this.name}`, probe, { timeoutMs, everyMs: readyPollMs });
      if (readyAt !== null) return readyAt;
      throw new Error(`machine ${this.name} has switched itself off`);
    } catch (error) {
      // Whoever waited in vain gives the machine up, and it takes its logs with it.
      this.#lastWords = await this.readLastWords();
      throw error;
    }
  }

  readBootReport(): Promise<string> {
    return this.#shell.run("cat /run/lifeboat/boot-report.json");
  }

  readGuestBoot(): Promise<GuestBoot> {
    return readGuestBoot(this.#shell);
  }

  /** Whether it is hardened, seen from inside. */
  inspect(): Promise<Finding[]> {
    return inspectMachine(this.#shell);
  }

  async copyDatabase(): Promise<string> {
    const copy = join(this.#site.directory, `copy-${this.name}.db`);
    for (const rest of ["", "-wal", "-shm"]) await rm(`${copy}${rest}`, { force: true });
    await this.#shell.save(copyScript, copy);
    return copy;
  }

  async cutPower(): Promise<number> {
    const atMs = performance.now();
    await this.server.powerOff();
    return atMs;
  }

  async destroyDisks(): Promise<void> {
    await this.delete();
    await rm(this.volume.file, { force: true });
  }

  async freeze(): Promise<number> {
    await this.server.machine.freeze();
    const atMs = performance.now();
    await this.server.unforward(this.#site.publicPorts);
    return atMs;
  }

  async wake(): Promise<number> {
    const atMs = performance.now();
    await this.server.machine.wake();
    return atMs;
  }

  async waitForFence(timeoutMs: number): Promise<number> {
    const [code, exitAt, uptime] = (await this.#shell.run(fenceScript, timeoutMs)).trim().split("\n").map(Number);
    const answeredAtMs = performance.now();
    if (code === exitCodes.fenced) return answeredAtMs - ((uptime ?? 0) * 1000 - (exitAt ?? 0) / 1000);
    throw new Error(`machine ${this.name} should fence itself with ${exitCodes.fenced}, but app ended with ${code}`);
  }

  async readLastWords(): Promise<string> {
    if (this.#lastWords !== null) return this.#lastWords;
    const journal = this.server.isOn ? await this.#readJournal() : [];
    return [...this.#readConsole(), ...journal].join("\n");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.delete();
  }

  /** Cuts the power and deletes the server with its root disk. The volume stays. */
  async delete(): Promise<void> {
    // Its console goes with it, and whoever failed asks for it afterwards.
    this.#lastWords ??= this.#readConsole().join("\n");
    await this.server.delete();
  }

  #readConsole(): string[] {
    const lines = this.server.readConsole().trimEnd().split("\n");
    return [`--- machine ${this.name}, last lines of its console and its journal`, ...lines.slice(-wordsOfConsole)];
  }

  async #readJournal(): Promise<string[]> {
    const units = ["lifeboat-bootstrap", "boot", "litestream", "app", "caddy"].map((unit) => `--unit=${unit}`);
    const words = ["journalctl", "--no-pager", "--lines=60", "--output=short-monotonic", ...units];
    try {
      return (await this.#shell.run(words.join(" "))).trimEnd().split("\n");
    } catch (error) {
      return [`no journal: ${String(error)}`];
    }
  }
}

/** A script for root inside a machine. */
function readScript(name: string): string {
  return readFileSync(join(import.meta.dirname, `${name}.guest.sh`), "utf8");
}
