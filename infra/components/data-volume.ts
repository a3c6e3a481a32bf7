import * as hcloud from "@pulumi/hcloud";
import * as pulumi from "@pulumi/pulumi";

import type { Address } from "./address.ts";
import type { Machine } from "./machine.ts";

export type DataVolumeArgs = {
  hostname: string;
  location: string;
  machine: Machine;
  address: Address;
  sizeGb: number;
  /** Delete protection at Hetzner. */
  protect: boolean;
  labels: Record<string, string>;
  /** The volume that an earlier stack of this name left in this location. */
  adopted: { id: number; sizeGb: number } | undefined;
};

/**
 * The disk at /data. `pulumi destroy` keeps it, and the next `pulumi up` in the same location adopts it. It is attached
 * by the server's id on the volume: a VolumeAttachment would be removed before the server is shut down.
 */
export class DataVolume extends pulumi.ComponentResource {
  readonly volumeId: pulumi.Output<string>;
  readonly sizeGb: number;

  constructor(name: string, args: DataVolumeArgs, options: pulumi.ComponentResourceOptions = {}) {
    super("lifeboat:index:DataVolume", name, {}, options);
    const { hostname, location, machine, address, adopted } = args;
    if (adopted !== undefined && adopted.sizeGb > args.sizeGb) {
      throw new pulumi.RunError(
        `config: volumeSizeGb must be at least ${adopted.sizeGb}, the size of the volume that stands in ${location} (got ${args.sizeGb}): a volume never shrinks; pulumi config set volumeSizeGb ${adopted.sizeGb}, then: npm run up`,
      );
    }
    const volume = new hcloud.Volume(
      `${name}-${location}`,
      {
        // A kept volume keeps its name, and names are unique.
        name: pulumi.interpolate`${hostname}-${address.addressId}`,
        size: args.sizeGb,
        serverId: machine.serverId,
        deleteProtection: args.protect,
        labels: args.labels,
      },
      {
        parent: this,
        // Always: the volume depends on the server, so a destroy would delete it first, under the running machine.
        retainOnDelete: true,
        // An adopted volume keeps its name. It is found by its labels, and boot checks the marker files on it.
        ...(adopted === undefined ? {} : { import: String(adopted.id), ignoreChanges: ["name"] }),
      },
    );
    this.volumeId = volume.id;
    this.sizeGb = args.sizeGb;
    this.registerOutputs({ volumeId: this.volumeId });
  }
}
