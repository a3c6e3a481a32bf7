import { type ChildProcessByStdio, execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  copyFileSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";

import { waitFor, within } from "../../scripts/cli/wait-for.ts";

const emulator = "qemu-system-x86_64";
const diskNode = "volume";
// Later archives go over earlier ones. cpio's format is the kernel's.
const packScript = 'out=$0; for folder; do cd "$folder" && find . | cpio --quiet --create --format=newc; done >"$out"';

type Emulator = ChildProcessByStdio<Writable, Readable, null>;

type MachineFiles = Readonly<{ kernel: string; initrd: string; disk: string; console: string }>;

/** What cannot be done without; null where a virtual machine can be run. */
export function findMissing(): string | null {
  if (process.arch !== "x64") return "a computer with x64";
  const tools = [emulator, "cpio", "mmdebstrap"];
  return tools.find((tool) => spawnSync("which", [tool]).status !== 0) ?? null;
}

/**
 * One CPU, 512 MB, no network, and a disk like Hetzner's volumes. Always emulated: in a container on a virtual machine there may be a
 * /dev/kvm that is far slower.
 */
function qemuArguments({ kernel, initrd, disk, console }: MachineFiles): string[] {
  const volume = { driver: "raw", "node-name": diskNode, file: { driver: "file", filename: disk } };
  return [
    ["-machine", "q35", "-accel", "tcg", "-cpu", "max,la57=off", "-smp", "1", "-m", "512"],
    ["-nodefaults", "-display", "none", "-no-reboot", "-qmp", "stdio", "-serial", `file:${console}`],
    ["-kernel", kernel, "-initrd", initrd, "-append", "console=ttyS0 quiet panic=-1 mitigations=off"],
    ["-device", "virtio-scsi-pci", "-blockdev", JSON.stringify(volume)],
    ["-device", `scsi-hd,drive=${diskNode},vendor=HC,product=Volume,serial=4711`],
  ].flat();
}

/** A machine with a kernel of its own, which may do what this computer's forbids. Its process 1 is a script of the test's. */
export class VirtualMachine implements AsyncDisposable {
  readonly #process: Emulator;
  readonly #console: string;
  readonly #cleanup: AsyncDisposableStack;
  readonly #answers: AsyncIterator<string>;

  private constructor(process: Emulator, console: string, cleanup: AsyncDisposableStack) {
    this.#process = process;
    this.#console = console;
    this.#cleanup = cleanup;
    this.#answers = createInterface({ input: process.stdout })[Symbol.asyncIterator]();
  }

  /** `system` is a folder with a Debian. The other files go over it, by their path in the machine; `/init` is process 1. */
  static async boot(
    system: string,
    files: Readonly<Record<string, string>>,
    diskBytes: number,
  ): Promise<VirtualMachine> {
    await using made = new AsyncDisposableStack();
    const folder = mkdtempSync(join(tmpdir(), "lifeboat-vm-"));
    made.defer(() => rmSync(folder, { recursive: true }));
    const own = { initrd: join(folder, "initrd"), disk: join(folder, "disk"), console: join(folder, "console") };
    packFiles(system, files, own.initrd);
    for (const empty of [own.disk, own.console]) writeFileSync(empty, "");
    truncateSync(own.disk, diskBytes);
    const words = ["--pdeathsig", "SIGKILL", emulator, ...qemuArguments({ kernel: findKernel(system), ...own })];
    const child = spawn("setpriv", words, { stdio: ["pipe", "pipe", "inherit"] });
    const ended = once(child, "close");
    made.defer(async () => {
      child.kill("SIGKILL");
      await within("the end of QEMU", 20_000, ended);
    });
    const machine = new VirtualMachine(child, own.console, made.move());
    await machine.#tell("qmp_capabilities", {});
    return machine;
  }

  /** Makes the disk larger under the running machine, which hears of it as of a volume that Hetzner has resized. */
  async growDisk(bytes: number): Promise<void> {
    await this.#tell("block_resize", { "node-name": diskNode, size: bytes });
  }

  readConsole(): string {
    return readFileSync(this.#console, "utf8").replaceAll("\r", "");
  }

  async waitForLine(line: string, timeoutMs: number): Promise<void> {
    const look = async () => this.readConsole().split("\n").includes(line) || this.#hasEnded() || null;
    await waitFor(`"${line}" on the console`, look, { timeoutMs, everyMs: 100 });
    if (this.#hasEnded()) throw new Error(`the virtual machine has ended before "${line}": ${this.readConsole()}`);
  }

  async waitForEnd(timeoutMs: number): Promise<void> {
    const look = async () => this.#hasEnded() || null;
    await waitFor("the end of the virtual machine", look, { timeoutMs, everyMs: 100 });
  }

  #hasEnded(): boolean {
    return this.#process.exitCode !== null || this.#process.signalCode !== null;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#cleanup.disposeAsync();
  }

  /** QEMU answers in order, one line each; greeting and events come between. */
  async #tell(command: string, words: Readonly<Record<string, unknown>>): Promise<void> {
    this.#process.stdin.write(`${JSON.stringify({ execute: command, arguments: words })}\n`);
    for (;;) {
      const { value, done } = await within(`QEMU's answer to ${command}`, 20_000, this.#answers.next());
      const answer: unknown = done === true ? { error: "QEMU has ended" } : JSON.parse(value);
      if (Object(answer).error !== undefined) throw new Error(`${command}: ${JSON.stringify(answer)}`);
      if (Object(answer).return !== undefined) return;
    }
  }
}

function packFiles(system: string, files: Readonly<Record<string, string>>, initrd: string): void {
  const folder = mkdtempSync(`${initrd}-`);
  for (const [path, source] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    copyFileSync(source, join(folder, path));
    chmodSync(join(folder, path), 0o755);
  }
  execFileSync("sh", ["-euc", packScript, initrd, system, folder]);
}

function findKernel(system: string): string {
  const [kernel] = globSync(join(system, "boot/vmlinuz-*"));
  if (kernel === undefined) throw new Error(`${system} has no kernel`);
  return kernel;
}
