import * as hcloud from "@pulumi/hcloud";
import * as pulumi from "@pulumi/pulumi";

export type AddressArgs = {
  hostname: string;
  location: string;
  labels: Record<string, string>;
  /** The address that an earlier life of this stack left in this location. */
  adopted: number | undefined;
};

/** The IPv4 address, which outlives every machine in its location, and from which the machine's key works. */
export class Address extends pulumi.ComponentResource {
  readonly ip: pulumi.Output<string>;
  /** Differs for every life of the address, so for every stack and location. */
  readonly addressId: pulumi.Output<string>;

  constructor(name: string, args: AddressArgs, options: pulumi.ComponentResourceOptions = {}) {
    super("lifeboat:index:Address", name, {}, options);
    const { hostname, location, labels, adopted } = args;
    // Named by its place, so that a move makes the new address before it gives up the old one.
    const address = new hcloud.PrimaryIp(
      `${name}-${location}`,
      { name: `${hostname}-${location}`, type: "ipv4", location, autoDelete: false, labels },
      {
        parent: this,
        // Somebody may have switched it on at Hetzner, and a refresh finds it.
        ignoreChanges: ["deleteProtection"],
        // Where stacks of before have it.
        aliases: [{ parent: pulumi.createUrn(name, "lifeboat:index:Machine") }],
        ...(adopted === undefined ? {} : { import: String(adopted) }),
      },
    );
    this.ip = address.ipAddress;
    this.addressId = address.id;
    this.registerOutputs({ ip: this.ip, addressId: this.addressId });
  }
}
