import * as command from "@pulumi/command";
import * as hcloud from "@pulumi/hcloud";
import * as pulumi from "@pulumi/pulumi";

import { printedLine } from "./node-command.ts";
import type { ServerKey } from "./ssh-keys.ts";

export type MachineArgs = {
  /** Host name, and the name of everything at Hetzner. */
  hostname: string;
  location: string;
  serverType: string;
  image: string;
  adminCidrs: readonly string[];
  sshKeys: readonly ServerKey[];
  userData: pulumi.Input<string>;
  /** Any change of it replaces the server. */
  rebuild: number;
  labels: Record<string, string>;
  /** The address that an earlier life of this stack left in this location. */
  adoptedAddress: number | undefined;
};

const everybody = ["0.0.0.0/0", "::/0"];

/** The VPS with its address and firewall. Disposable, but never replaced by accident: what a new server would be made from is not compared. */
export class Machine extends pulumi.ComponentResource {
  readonly serverId: pulumi.Output<number>;
  readonly ip: pulumi.Output<string>;
  /** Differs for every life of the address, so for every stack and location. */
  readonly addressId: pulumi.Output<string>;

  constructor(name: string, args: MachineArgs, options: pulumi.ComponentResourceOptions = {}) {
    super("lifeboat:index:Machine", name, {}, options);
    const { hostname, location, labels } = args;
    // Named by its place, so that a move makes the new address before it gives up the old one.
    const address = new hcloud.PrimaryIp(
      `${name}-${location}`,
      { name: `${hostname}-${location}`, type: "ipv4", location, autoDelete: false, labels },
      { parent: this, ...importOf(args.adoptedAddress) },
    );
    const firewall = new hcloud.Firewall(
      name,
      { name: this.#inventName(name, hostname), labels, rules: firewallRules(args.adminCidrs) },
      { parent: this },
    );
    const server = new hcloud.Server(
      name,
      {
        name: hostname,
        // By this label the next `up` sees whether the rebuild that is asked for has been done.
        labels: { ...labels, rebuild: String(args.rebuild) },
        location,
        serverType: args.serverType,
        image: args.image,
        userData: pulumi.secret(args.userData),
        sshKeys: args.sshKeys.map((key) => this.#nameOrId(name, key, args)),
        firewallIds: [firewall.id.apply(Number)],
        publicNets: [{ ipv4Enabled: true, ipv4: address.id.apply(Number), ipv6Enabled: true }],
        // Lets the app and Litestream end with a checked sync before the disk goes.
        shutdownBeforeDeletion: true,
      },
      {
        parent: this,
        // Name and address are taken until the old server is gone.
        deleteBeforeReplace: true,
        ignoreChanges: ["userData", "image", "sshKeys"],
        // Changed in place, the provider would cut the power, and leave the machine off if the new type cannot be had.
        replaceOnChanges: ["serverType"],
        replacementTrigger: args.rebuild,
      },
    );
    this.serverId = server.id.apply(Number);
    this.ip = address.ipAddress;
    this.addressId = address.id;
    this.registerOutputs({ serverId: this.serverId, ip: this.ip });
  }

  // Another one for every state: a firewall that a lost state has left behind must not stand in the way, and Hetzner invents no names.
  #inventName(name: string, hostname: string): pulumi.Output<string> {
    const suffix = new command.local.Command(
      `${name}-suffix`,
      { create: "node --print 'crypto.randomUUID().slice(0, 8)'", addPreviousOutputInEnv: false },
      { parent: this },
    );
    return pulumi.interpolate`${hostname}-${printedLine(suffix)}`;
  }

  #nameOrId(name: string, key: ServerKey, { hostname, labels }: MachineArgs): pulumi.Input<string> {
    if ("nameOrId" in key) return key.nameOrId;
    return new hcloud.SshKey(
      `${name}-${key.short}`,
      { name: `${hostname}-${key.short}`, publicKey: key.publicKey, labels },
      { parent: this, ...importOf(key.adopted) },
    ).id;
  }
}

// Plain HTTP stays with the administrators until there is TLS.
function firewallRules(adminCidrs: readonly string[]) {
  return [openPort("22", adminCidrs), openPort("80", adminCidrs), openPort("443", everybody)];
}

function openPort(port: string, sourceIps: readonly string[]) {
  return { direction: "in", protocol: "tcp", port, sourceIps: [...sourceIps] };
}

function importOf(adopted: number | undefined): pulumi.CustomResourceOptions {
  return adopted === undefined ? {} : { import: String(adopted) };
}
