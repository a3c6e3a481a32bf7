import * as hcloud from "@pulumi/hcloud";
import * as pulumi from "@pulumi/pulumi";

import type { Address } from "./address.ts";
import type { ServerKey } from "./ssh-keys.ts";

export type MachineArgs = {
  /** Host name, and the name of everything at Hetzner. */
  hostname: string;
  location: string;
  serverType: string;
  image: string;
  adminCidrs: readonly string[];
  /** ip, none, or a host name. */
  domain: string;
  sshKeys: readonly ServerKey[];
  userData: pulumi.Input<string>;
  /** Any change of it replaces the server. */
  rebuild: number;
  labels: Record<string, string>;
  address: Address;
};

/**
 * Properties that the program does not set and people switch on at Hetzner. A refresh finds them, and the provider's
 * own default would switch them off again. A new machine starts without them.
 */
const switchedOnByOthers = ["backups", "deleteProtection", "rebuildProtection", "placementGroupId"];

/**
 * The VPS with its firewall. Disposable, but never replaced by accident: the inputs for a new server, such as its
 * user-data, are not compared.
 */
export class Machine extends pulumi.ComponentResource {
  readonly serverId: pulumi.Output<number>;
  readonly ip: pulumi.Output<string>;
  /** The one that it has, which for a machine of an older program is not the reserved one. Empty for none. */
  readonly ipv6: pulumi.Output<string>;

  constructor(name: string, args: MachineArgs, options: pulumi.ComponentResourceOptions = {}) {
    super("lifeboat:index:Machine", name, {}, options);
    const { hostname, location, labels, address } = args;
    const firewall = new hcloud.Firewall(
      name,
      { labels, rules: firewallRules(args) },
      // Named by the provider, so that a firewall left behind by a lost state does not collide. Older stacks keep the
      // name that they gave.
      { parent: this, ignoreChanges: ["name"] },
    );
    const server = new hcloud.Server(
      name,
      {
        name: hostname,
        // By this label the next `up` sees whether the requested rebuild has been done.
        labels: { ...labels, rebuild: String(args.rebuild) },
        location,
        serverType: args.serverType,
        image: args.image,
        userData: pulumi.secret(args.userData),
        sshKeys: args.sshKeys.map((key) => this.#nameOrId(name, key, args)),
        firewallIds: [firewall.id.apply(Number)],
        publicNets: [
          {
            ipv4Enabled: true,
            ipv4: address.addressId.apply(Number),
            ipv6Enabled: true,
            ipv6: address.ipv6Id.apply(Number),
          },
        ],
        // Lets the app and Litestream end with a checked sync before the disk is removed.
        shutdownBeforeDeletion: true,
      },
      {
        parent: this,
        // Name and address are taken until the old server is deleted.
        deleteBeforeReplace: true,
        // publicNets: for another address the provider would cut the power of a running machine. A new one gets it.
        ignoreChanges: ["userData", "image", "sshKeys", "publicNets", ...switchedOnByOthers],
        // On an in-place change the provider would cut the power, and leave the machine off if the new type is sold
        // out.
        replaceOnChanges: ["serverType"],
        replacementTrigger: args.rebuild,
      },
    );
    this.serverId = server.id.apply(Number);
    this.ip = address.ip;
    this.ipv6 = server.ipv6Address.apply((ip: string | undefined) => ip ?? "");
    this.registerOutputs({ serverId: this.serverId, ip: this.ip, ipv6: this.ipv6 });
  }

  #nameOrId(name: string, key: ServerKey, { hostname, labels }: MachineArgs): pulumi.Input<string> {
    if ("nameOrId" in key) return key.nameOrId;
    return new hcloud.SshKey(
      `${name}-${key.short}`,
      { name: `${hostname}-${key.short}`, publicKey: key.publicKey, labels },
      { parent: this, ...(key.adopted === undefined ? {} : { import: String(key.adopted) }) },
    ).id;
  }
}

const everywhere = ["0.0.0.0/0", "::/0"];

// Without TLS the tokens would be read on their way, so plain HTTP is for the administrators only.
function firewallRules({ adminCidrs, domain }: Pick<MachineArgs, "adminCidrs" | "domain">) {
  const web =
    domain === "none"
      ? [openPort("tcp", "80", adminCidrs)]
      : [openPort("tcp", "80", everywhere), openPort("tcp", "443", everywhere), openPort("udp", "443", everywhere)];
  // Hetzner refuses a rule without networks.
  return adminCidrs.length === 0 ? web : [openPort("tcp", "22", adminCidrs), ...web];
}

function openPort(protocol: string, port: string, sourceIps: readonly string[]) {
  return { direction: "in", protocol, port, sourceIps: [...sourceIps] };
}
