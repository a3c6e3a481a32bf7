import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";

import type { InfraConfig } from "../config/config.ts";
import { machinePolicy } from "../policies/access-policy.ts";
import type { ReplicaBucket } from "./replica-bucket.ts";

export type AccessKey = { accessKeyId: pulumi.Output<string>; secretAccessKey: pulumi.Output<string> };

export type ReplicaAccessArgs = {
  bucket: ReplicaBucket;
  /** Where the machine is. Another place makes another identity, so that the machine that is moved away from keeps its rights until it is gone. */
  location: string;
  /** The networks from which the key works; undefined: from everywhere. */
  sources: pulumi.Output<string[]> | undefined;
  /** Another number makes another key; the former goes once everything that uses the new one has succeeded. */
  keyGeneration: number;
};

/**
 * The networks from which the machine's key works: the machine's own IPv4 address, by which it reaches S3 (whose names have no IPv6 address but for the
 * dualstack ones, and nobody asks for those), and the administrators', from which `up` waits for a new key, and a laptop restores. Undefined: everywhere.
 */
export function keySources(
  { keyFromAnywhere, adminCidrs }: Pick<InfraConfig, "keyFromAnywhere" | "adminCidrs">,
  ip: pulumi.Output<string>,
): pulumi.Output<string[]> | undefined {
  return keyFromAnywhere ? undefined : ip.apply((address) => [`${address}/32`, ...adminCidrs]);
}

/** Who may reach the bucket: the machine, with the least rights it can live with, and from its own place. A given store's key is taken as it is. */
export class ReplicaAccess extends pulumi.ComponentResource {
  readonly machineKey: AccessKey;

  constructor(name: string, args: ReplicaAccessArgs, options: pulumi.ComponentResourceOptions = {}) {
    super("lifeboat:index:ReplicaAccess", name, {}, options);
    const { keys } = args.bucket.store;
    if (keys === undefined) {
      this.machineKey = this.#makeIdentity(`${name}-machine-${args.location}`, args);
    } else {
      this.machineKey = { accessKeyId: pulumi.output(keys.accessKeyId), secretAccessKey: keys.secretAccessKey };
      void pulumi.log.info(
        "the store's own key goes to the machine: its rights are whatever the store gave it (no IAM here)",
        this,
      );
    }
    this.registerOutputs({ machineKey: this.machineKey });
  }

  #makeIdentity(name: string, { bucket, sources, keyGeneration }: ReplicaAccessArgs): AccessKey {
    // forceDestroy: a key made by hand must not stand in the way of taking the rights away. A refresh finds the boundary and the tags that an account gives
    // to its users, and the next `up` would take them away.
    const user = new aws.iam.User(
      name,
      { path: "/lifeboat/", forceDestroy: true, tags: { bucket: bucket.store.bucket } },
      { parent: this, ignoreChanges: ["permissionsBoundary", "tags", "tagsAll"] },
    );
    const document = pulumi
      .output(sources)
      .apply((networks) => JSON.stringify(machinePolicy(bucket.store.bucket, networks)));
    const policy = new aws.iam.UserPolicy(name, { user: user.name, policy: document }, { parent: this });
    const key = new aws.iam.AccessKey(
      `${name}-${keyGeneration}`,
      { user: user.name },
      // Whoever has switched a key off at AWS has his reasons: another one comes with keyGeneration.
      { parent: this, dependsOn: policy, ignoreChanges: ["status"] },
    );
    return { accessKeyId: key.id, secretAccessKey: pulumi.secret(key.secret) };
  }
}
