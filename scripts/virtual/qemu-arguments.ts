/** A disk of the machine's. `serial` makes it one of Hetzner's volumes; without one it has no name. */
export type Disk = Readonly<{ file: string; serial?: string }>;

/** An address of the machine's own network and a port there, behind which a server on this computer's loopback answers. */
export type Service = Readonly<{ address: string; port: number; localPort: number }>;

export type Network = Readonly<{ mac: string; services: readonly Service[] }>;

/** A machine as QEMU starts it. */
export type Shape = Readonly<{
  kernel: string;
  initrd: string;
  /** The kernel's command line, after what every machine needs. */
  append: string;
  cpus: number;
  memoryMb: number;
  disks: readonly Disk[];
  console: string;
  /** The number by which Hetzner's servers know themselves. */
  serverId?: number;
  network?: Network;
  /** Without this a restart ends it. */
  mayRestart?: boolean;
}>;

export const emulator = "qemu-system-x86_64";
/** The bus on which volumes come and go, and the network card. */
export const names = { bus: "scsi0", card: "net0" } as const;

/**
 * This computer, as the machine reaches it: every port here is one of loopback there. No unit of the machine may use
 * link-local addresses.
 */
export const hostAddress = "172.20.0.2";
// Slirp answers only for addresses of its own network, and 169.254.169.254 must be one: 160.0.0.0/4 holds both.
const network = `net=160.0.0.0/4,host=${hostAddress},dhcpstart=172.20.0.15,dns=172.20.0.3,ipv6=off`;
// What QEMU has translated takes half a GB after a boot with our programs. By default it may take a whole one.
const translated = "tb-size=640";

/**
 * QEMU's command line. Always emulated: in a container on a virtual machine there may be a /dev/kvm that is far slower.
 * Five-level paging and the mitigations cost a quarter of the time, and nothing here is attacked.
 */
export function qemuArguments(shape: Shape): string[] {
  const { kernel, initrd, append, cpus, memoryMb, console } = shape;
  return [
    ["-machine", "q35", "-accel", `tcg,thread=multi,${translated}`, "-cpu", "max,la57=off"],
    ["-smp", String(cpus), "-m", String(memoryMb), "-nodefaults", "-display", "none"],
    shape.mayRestart === true ? [] : ["-no-reboot"],
    ["-qmp", "stdio", "-serial", `file:${console}`, "-device", "virtio-rng-pci"],
    ["-kernel", kernel, "-initrd", initrd, "-append", `console=ttyS0 quiet panic=-1 mitigations=off ${append}`],
    ["-device", `virtio-scsi-pci,id=${names.bus}`],
    ...shape.disks.map(diskArguments),
    ...(shape.serverId === undefined ? [] : [identityArguments(shape.serverId)]),
    ...(shape.network === undefined ? [] : [networkArguments(shape.network)]),
  ].flat();
}

/** What makes a disk of a file, for the command line and for a running QEMU. */
export function describeBlocks(node: string, file: string): Record<string, unknown> {
  return { driver: "raw", "node-name": node, discard: "unmap", file: { driver: "file", filename: file } };
}

/** Hetzner's volumes, as the machine sees them: udev makes /dev/disk/by-id/scsi-0HC_Volume_SERIAL of it. */
export function describeVolume(node: string, serial: string): Record<string, string> {
  return { driver: "scsi-hd", bus: `${names.bus}.0`, drive: node, vendor: "HC", product: "Volume", serial };
}

function diskArguments({ file, serial }: Disk, index: number): string[] {
  const node = `disk${index}`;
  const device = serial === undefined ? { driver: "scsi-hd", drive: node } : describeVolume(node, serial);
  const words = Object.entries(device).map(([name, value]) => (name === "driver" ? value : `${name}=${value}`));
  return ["-blockdev", JSON.stringify(describeBlocks(node, file)), "-device", words.join(",")];
}

/** cloud-init knows Hetzner by the vendor, and compares the serial with the metadata. */
function identityArguments(serverId: number): string[] {
  return ["-smbios", `type=1,manufacturer=Hetzner,product=vServer,version=20171111,serial=${serverId}`];
}

function networkArguments({ mac, services }: Network): string[] {
  const forwards = services.map(
    ({ address, port, localPort }) => `guestfwd=tcp:${address}:${port}-cmd:${commandOf(localPort)}`,
  );
  const user = [`user,id=${names.card}`, network, ...forwards].join(",");
  return ["-netdev", user, "-device", `virtio-net-pci,netdev=${names.card},mac=${mac},romfile=`];
}

/** QEMU starts one for each connection, and splits the words as a shell does; in its own options commas are doubled. */
function commandOf(localPort: number): string {
  const forward = new URL("forward.mjs", import.meta.url).pathname;
  const words = [process.execPath, decodeURIComponent(forward), String(localPort)];
  return words
    .map((word) => `'${word.replaceAll("'", String.raw`'\''`)}'`)
    .join(" ")
    .replaceAll(",", ",,");
}
