import * as pulumi from "@pulumi/pulumi";

import type { EdgeSettings } from "../../cloud-init/edge-file.ts";
import { storeEnvironment, storeLogin } from "../survey/locate-store.ts";
import type { AppRelease } from "./app-release.ts";
import type { DataVolume } from "./data-volume.ts";
import type { Machine } from "./machine.ts";
import { printedLine, runScript } from "./node-command.ts";
import type { AccessKey } from "./replica-access.ts";
import type { ReplicaBucket } from "./replica-bucket.ts";

export type ActiveReleaseArgs = {
  machine: Machine;
  volume: DataVolume;
  release: AppRelease;
  bucket: ReplicaBucket;
  key: AccessKey;
  /** What a running machine can change without being replaced. */
  settings: {
    apiTokensSha256: pulumi.Output<string[]>;
    heartbeatUrl: pulumi.Output<string> | undefined;
    replicationIntervalMs: number;
    syncsPerMonth: number;
    retentionHours: number;
    edge: pulumi.Output<EdgeSettings>;
    settingsKey: pulumi.Output<string>;
  };
  /** How this computer gets at the machine. */
  reach: "ssh" | "bucket";
};

/**
 * The release that the machine runs and answers /ready with. Only then does it become the one that new machines
 * install. The same step brings a rotated key, a token or an interval to the running machine. Pulumi revokes the old key
 * afterwards.
 */
export class ActiveRelease extends pulumi.ComponentResource {
  readonly sha256: pulumi.Output<string>;

  constructor(name: string, args: ActiveReleaseArgs, options: pulumi.ComponentResourceOptions = {}) {
    super("lifeboat:index:ActiveRelease", name, {}, options);
    const { machine, volume, release, bucket, key } = args;
    const activation = runScript(
      `${name}-activation`,
      {
        script: "scripts/steps/activate-release.ts",
        environment: {
          ...storeEnvironment(bucket.store),
          LIFEBOAT_IP: machine.ip,
          LIFEBOAT_SERVER: pulumi.interpolate`${machine.serverId}`,
          LIFEBOAT_RELEASE: release.sha256,
          LIFEBOAT_REACH: args.reach,
          // Hetzner enlarges the device. Only the machine can enlarge the filesystem on it.
          LIFEBOAT_VOLUME_GB: String(volume.sizeGb),
        },
        stdin: pulumi.jsonStringify({ ...key, ...args.settings }),
        // A new server must answer for itself, whatever it was made from.
        triggers: [machine.serverId],
      },
      { parent: this, dependsOn: volume, customTimeouts: { create: "24h", update: "24h" } },
    );
    const desired = runScript(
      `${name}-desired`,
      {
        script: "scripts/steps/write-desired-release.ts",
        environment: {
          ...storeEnvironment(bucket.store),
          LIFEBOAT_BUCKET_ID: bucket.bucketId,
          LIFEBOAT_RELEASE: release.sha256,
        },
        ...storeLogin(bucket.store),
      },
      { parent: this, dependsOn: activation },
    );
    this.sha256 = printedLine(desired);
    this.registerOutputs({ sha256: this.sha256 });
  }
}
