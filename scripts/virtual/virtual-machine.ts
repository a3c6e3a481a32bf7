import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import type { Readable, Writable } from "node:stream";
import { text } from "node:stream/consumers";

import { waitFor, within } from "../../app/cli/wait-for.ts";
import { describeBlocks, describeVolume, emulator, names, qemuArguments, type Shape } from "./qemu-arguments.ts";
import { Qmp } from "./qmp.ts";

type Emulator = ChildProcessByStdio<Writable, Readable, Readable>;

/** A port of this computer that leads to one of the machine's. */
export type Forward = Readonly<{ address: string; port: number; guestPort: number }>;

const endLimitMs = 20_000;
const detachLimitMs = 10_000;

/**
 * A machine with a kernel and disks of its own, emulated by QEMU. It ends with this process, however that ends. What it
 * writes to its console is in a file.
 */
export class VirtualMachine implements AsyncDisposable {
  /** When QEMU was started, on the clock of performance.now(). */
  readonly startedAtMs: number;
  /** Resolves when it is off. */
  readonly ended: Promise<void>;
  readonly #process: Emulator;
  readonly #console: string;
  readonly #qmp: Qmp;

  private constructor(shape: Shape) {
    const words = ["--pdeathsig", "SIGKILL", emulator, ...qemuArguments(shape)];
    writeFileSync(shape.console, "", { flag: "a" });
    this.#console = shape.console;
    this.startedAtMs = performance.now();
    this.#process = spawn("setpriv", words, { stdio: ["pipe", "pipe", "pipe"] });
    this.ended = once(this.#process, "close").then(() => undefined);
    this.#qmp = new Qmp(this.#process.stdin, this.#process.stdout);
  }

  /** Returns as soon as QEMU runs, which is before the kernel does. Throws with its words when it does not. */
  static async start(shape: Shape): Promise<VirtualMachine> {
    const machine = new VirtualMachine(shape);
    const words = text(machine.#process.stderr);
    try {
      await machine.#qmp.tell("qmp_capabilities");
    } catch (cause) {
      await machine.kill();
      throw new Error(`QEMU does not start: ${(await words).trim()}`, { cause });
    }
    return machine;
  }

  get isOn(): boolean {
    return this.#process.exitCode === null && this.#process.signalCode === null;
  }

  /** Plugs a file in as a volume of Hetzner's, while the machine runs. */
  async attachVolume(serial: string, file: string): Promise<void> {
    const node = `volume${serial}`;
    await this.#qmp.tell("blockdev-add", describeBlocks(node, file));
    await this.#qmp.tell("device_add", { id: nameOfVolume(serial), ...describeVolume(node, serial) });
  }

  /** The disk vanishes as Hetzner's API lets it: nothing is unmounted. */
  async detachVolume(serial: string): Promise<void> {
    const name = nameOfVolume(serial);
    const gone = this.#qmp.event("DEVICE_DELETED", ({ device }) => device === name);
    await Promise.all([gone, this.#qmp.tell("device_del", { id: name })]);
    // The node is in use until the device is gone for good.
    const remove = async () => (await this.#qmp.tell("blockdev-del", { "node-name": `volume${serial}` }), true);
    await waitFor(`the end of volume ${serial}`, remove, { timeoutMs: detachLimitMs });
  }

  /** Makes a disk larger under the running machine, which hears of it as of a volume that Hetzner has resized. */
  async growDisk(node: string, bytes: number): Promise<void> {
    await this.#qmp.tell("block_resize", { "node-name": node, size: bytes });
  }

  /** From now on a port of loopback leads to the machine. Throws when it is in use. */
  async forward({ address, port, guestPort }: Forward): Promise<void> {
    try {
      await this.#qmp.order(`hostfwd_add ${names.card} tcp:${address}:${port}-:${guestPort}`);
    } catch (cause) {
      throw new Error(`port ${port} of ${address} is in use; end the process that listens there`, { cause });
    }
  }

  /** Connections that are open stay open. */
  async unforward({ address, port }: Forward): Promise<void> {
    await this.#qmp.tell("human-monitor-command", {
      "command-line": `hostfwd_remove ${names.card} tcp:${address}:${port}`,
    });
  }

  /** Stops its clocks and processors, as a hypervisor does. It costs no processor time until `wake`. */
  async freeze(): Promise<void> {
    await this.#qmp.tell("stop");
  }

  async wake(): Promise<void> {
    await this.#qmp.tell("cont");
  }

  /** Presses the power button; `ended` says when the system has stopped. */
  async powerDown(): Promise<void> {
    await this.#qmp.tell("system_powerdown");
  }

  /** Cuts the power. The disks keep what this computer's kernel has of them. */
  async kill(): Promise<void> {
    this.#process.kill("SIGKILL");
    await within("the end of QEMU", endLimitMs, this.ended);
  }

  readConsole(): string {
    return readFileSync(this.#console, "utf8").replaceAll("\r", "");
  }

  async waitForLine(line: string, timeoutMs: number): Promise<void> {
    const look = async () => this.readConsole().split("\n").includes(line) || !this.isOn || null;
    await waitFor(`"${line}" on the console`, look, { timeoutMs, everyMs: 100 });
    if (!this.isOn) throw new Error(`the virtual machine has ended before "${line}": ${this.readConsole()}`);
  }

  async waitForEnd(timeoutMs: number): Promise<void> {
    await within("the end of the virtual machine", timeoutMs, this.ended);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }
}

function nameOfVolume(serial: string): string {
  return `device${serial}`;
}
