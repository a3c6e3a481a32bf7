import * as hcloud from "@pulumi/hcloud";
import * as pulumi from "@pulumi/pulumi";

export type AddressArgs = {
  hostname: string;
  location: string;
  labels: Record<string, string>;
  /** Whether a destroy leaves the addresses reserved. */
  keep: boolean;
  /** The addresses that an earlier stack of this name left in this location. */
  adopted: KeptAddresses;
};

/** By their ids at Hetzner. Undefined: there is none. */
export type KeptAddresses = { ipv4: number | undefined; ipv6: number | undefined };

/**
 * The addresses, which outlive every machine in its location. The machine's bucket key works from the IPv4 address.
 */
export class Address extends pulumi.ComponentResource {
  readonly ip: pulumi.Output<string>;
  /** Unique for every address, so for every stack and location. */
  readonly addressId: pulumi.Output<string>;
  /** The address that a new machine has: the first one of the network. */
  readonly ipv6: pulumi.Output<string>;
  readonly ipv6Id: pulumi.Output<string>;

  constructor(name: string, args: AddressArgs, options: pulumi.ComponentResourceOptions = {}) {
    super("lifeboat:index:Address", name, {}, options);
    const { location, adopted } = args;
    // Named by its location, so that a move makes the new address before it releases the old one.
    const ipv4 = this.#reserve(`${name}-${location}`, "ipv4", args, {
      ...adoption(adopted.ipv4),
      // Where older stacks have it.
      aliases: [{ parent: pulumi.createUrn(name, "lifeboat:index:Machine") }],
    });
    const ipv6 = this.#reserve(`${name}-${location}-ipv6`, "ipv6", args, adoption(adopted.ipv6));
    this.ip = ipv4.ipAddress;
    this.addressId = ipv4.id;
    // Hetzner gives a network of 64 bits, written with :: at its end, and its Debian images take the first address.
    this.ipv6 = ipv6.ipAddress.apply((network) => `${network}1`);
    this.ipv6Id = ipv6.id;
    this.registerOutputs({ ip: this.ip, addressId: this.addressId, ipv6: this.ipv6, ipv6Id: this.ipv6Id });
  }

  #reserve(
    name: string,
    type: "ipv4" | "ipv6",
    { hostname, location, labels, keep }: AddressArgs,
    options: pulumi.CustomResourceOptions,
  ): hcloud.PrimaryIp {
    const suffix = type === "ipv4" ? "" : "-ipv6";
    return new hcloud.PrimaryIp(
      name,
      { name: `${hostname}-${location}${suffix}`, type, location, autoDelete: false, labels },
      {
        parent: this,
        // Somebody may have switched it on at Hetzner, and a refresh finds it.
        ignoreChanges: ["deleteProtection"],
        retainOnDelete: keep,
        ...options,
      },
    );
  }
}

function adoption(id: number | undefined): pulumi.CustomResourceOptions {
  return id === undefined ? {} : { import: String(id) };
}
