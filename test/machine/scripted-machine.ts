import { execFileSync, spawnSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import { emulator } from "../../scripts/virtual/qemu-arguments.ts";
import { VirtualMachine } from "../../scripts/virtual/virtual-machine.ts";

// Later archives go over earlier ones. cpio's format is the kernel's.
const packScript = 'out=$0; for folder; do cd "$folder" && find . | cpio --quiet --create --format=newc; done >"$out"';

/** The name of the only disk, for `growDisk`. */
export const onlyDisk = "disk0";

/** What cannot be done without; null where a virtual machine can be run. */
export function findMissing(): string | null {
  if (process.arch !== "x64") return "a computer with x64";
  const tools = [emulator, "cpio", "mmdebstrap"];
  return tools.find((tool) => spawnSync("which", [tool]).status !== 0) ?? null;
}

/**
 * Boots a machine whose process 1 is a script of the test's, with one disk like Hetzner's volumes and no network. `system` is a folder with
 * a Debian. The other files go over it, by their path in the machine; `/init` is process 1.
 */
export async function bootScripted(
  system: string,
  files: Readonly<Record<string, string>>,
  diskBytes: number,
): Promise<{ machine: VirtualMachine } & AsyncDisposable> {
  await using made = new AsyncDisposableStack();
  const folder = mkdtempSync(join(tmpdir(), "lifeboat-vm-"));
  made.defer(() => rmSync(folder, { recursive: true }));
  const own = { initrd: join(folder, "initrd"), console: join(folder, "console") };
  packFiles(system, files, own.initrd);
  const disk = { file: join(folder, "disk"), serial: "4711" };
  writeFileSync(disk.file, "");
  truncateSync(disk.file, diskBytes);
  const shape = { kernel: findKernel(system), ...own, append: "", cpus: 1, memoryMb: 512, disks: [disk] };
  const machine = made.use(await VirtualMachine.start(shape));
  const cleanup = made.move();
  return { machine, [Symbol.asyncDispose]: () => cleanup.disposeAsync() };
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
