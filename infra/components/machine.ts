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
  sshKeys: readonly ServerKey[];
  userData: pulumi.Input<string>;
  /** Any change of it replaces the server. */
  rebuild: number;
  labels: Record<string, string>;
  address: Address;
};

/**
 * What the program does not say, and people switch on at Hetzner. A refresh finds it, and the provider's own default would switch it off again. A new
 * machine begins without.
 */
const switchedOnByOthers = ["backups", "deleteProtection", "rebuildProtection", "placementGroupId"];

/** The VPS with its firewall. Disposable, but never replaced by accident: what a new server would be made from is not compared. */
export class Machine extends pulumi.ComponentResource {
  readonly serverId: pulumi.Output<number>;
  readonly ip: pulumi.Output<string>;

  constructor(name: string, args: MachineArgs, options: pulumi.ComponentResourceOptions = {}) {
    super("lifeboat:index:Machine", name, {}, options);
    const { hostname, location, labels, address } = args;
    const firewall = new hcloud.Firewall(
      name,
      { labels, rules: firewallRules(args.adminCidrs) },
      // Named by the provider: one that a lost state has left behind must not stand in the way. Older stacks keep the name that they gave.
      { parent: this, ignoreChanges: ["name"] },
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
        publicNets: [{ ipv4Enabled: true, ipv4: address.addressId.apply(Number), ipv6Enabled: true }],
        // Lets the app and Litestream end with a checked sync before the disk goes.
        shutdownBeforeDeletion: true,
      },
      {
        parent: this,
        // Name and address are taken until the old server is gone.
        deleteBeforeReplace: true,
        ignoreChanges: ["userData", "image", "sshKeys", ...switchedOnByOthers],
        // Changed in place, the provider would cut the power, and leave the machine off if the new type cannot be had.
        replaceOnChanges: ["serverType"],
        replacementTrigger: args.rebuild,
      },
    );
    this.serverId = server.id.apply(Number);
    this.ip = address.ip;
    this.registerOutputs({ serverId: this.serverId, ip: this.ip });
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

// Plain HTTP stays with the administrators, and 443 is closed, until there is TLS.
function firewallRules(adminCidrs: readonly string[]) {
  return [openPort("22", adminCidrs), openPort("80", adminCidrs)];
}

function openPort(port: string, sourceIps: readonly string[]) {
  return { direction: "in", protocol: "tcp", port, sourceIps: [...sourceIps] };
}
