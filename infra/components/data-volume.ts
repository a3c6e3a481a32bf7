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
  /** The volume that an earlier life of this stack left in this location. */
  adopted: { id: number; sizeGb: number } | undefined;
};

/**
 * The disk at /data, kept by `pulumi destroy` and adopted by the next `pulumi up` in the same location.
 * It is attached by the server's id on the volume: a VolumeAttachment would be taken away before the server is shut down.
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
        // Always: it depends on the server, so a destroy that took it would take it first, out of the running machine.
        retainOnDelete: true,
        // An adopted volume keeps its name: it is found by its labels, and boot checks its contents by the marker files on it.
        ...(adopted === undefined ? {} : { import: String(adopted.id), ignoreChanges: ["name"] }),
      },
    );
    this.volumeId = volume.id;
    this.sizeGb = args.sizeGb;
    this.registerOutputs({ volumeId: this.volumeId });
  }
}
