import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";

import type { InfraConfig } from "../config/config.ts";
import { edgePolicy, machinePolicy, type PolicyDocument } from "../policies/access-policy.ts";
import type { ReplicaBucket } from "./replica-bucket.ts";

export type AccessKey = { accessKeyId: pulumi.Output<string>; secretAccessKey: pulumi.Output<string> };

export type ReplicaAccessArgs = {
  bucket: ReplicaBucket;
  /**
   * Where the machine is. Another location gets another identity, so that the old machine keeps its rights until it is
   * deleted.
   */
  location: string;
  /** The networks from which the key works. Undefined: from everywhere. */
  sources: pulumi.Output<string[]> | undefined;
  /** Another number makes another key. The old one is deleted once everything that uses the new one has succeeded. */
  keyGeneration: number;
};

/**
 * The networks from which the machine's key works: the machine's own IPv4 address, by which it reaches S3 (S3 has IPv6
 * addresses only under its dualstack names, which we do not use), and the administrators' networks, from which `up`
 * waits for a new key and a laptop restores. Undefined: everywhere.
 */
export function keySources(
  { keyFromAnywhere, adminCidrs }: Pick<InfraConfig, "keyFromAnywhere" | "adminCidrs">,
  ip: pulumi.Output<string>,
): pulumi.Output<string[]> | undefined {
  return keyFromAnywhere ? undefined : ip.apply((address) => [`${address}/32`, ...adminCidrs]);
}

/**
 * Who may access the bucket: the machine and its edge, each with the least rights it needs, and from the machine's own
 * address. A given store's key is used as it is, for both.
 */
export class ReplicaAccess extends pulumi.ComponentResource {
  readonly machineKey: AccessKey;
  /** For the certificates. */
  readonly edgeKey: AccessKey;

  constructor(name: string, args: ReplicaAccessArgs, options: pulumi.ComponentResourceOptions = {}) {
    super("lifeboat:index:ReplicaAccess", name, {}, options);
    const { keys } = args.bucket.store;
    if (keys === undefined) {
      this.machineKey = this.#makeIdentity(`${name}-machine-${args.location}`, args, machinePolicy);
      this.edgeKey = this.#makeIdentity(`${name}-edge-${args.location}`, args, edgePolicy);
    } else {
      this.machineKey = { accessKeyId: pulumi.output(keys.accessKeyId), secretAccessKey: keys.secretAccessKey };
      this.edgeKey = this.machineKey;
      void pulumi.log.info(
        "the store's own key goes to the machine: its rights are whatever the store gave it (no IAM here)",
        this,
      );
    }
    this.registerOutputs({ machineKey: this.machineKey, edgeKey: this.edgeKey });
  }

  #makeIdentity(
    name: string,
    { bucket, sources, keyGeneration }: ReplicaAccessArgs,
    policyOf: (bucket: string, sources?: readonly string[]) => PolicyDocument,
  ): AccessKey {
    // forceDestroy: a key made by hand must not block the removal of the rights. A refresh finds the boundary and tags
    // that an account gives to its users, and the next `up` would remove them.
    const user = new aws.iam.User(
      name,
      { path: "/lifeboat/", forceDestroy: true, tags: { bucket: bucket.store.bucket } },
      { parent: this, ignoreChanges: ["permissionsBoundary", "tags", "tagsAll"] },
    );
    const document = pulumi
      .output(sources)
      .apply((networks) => JSON.stringify(policyOf(bucket.store.bucket, networks)));
    const policy = new aws.iam.UserPolicy(name, { user: user.name, policy: document }, { parent: this });
    const key = new aws.iam.AccessKey(
      `${name}-${keyGeneration}`,
      { user: user.name },
      // If somebody has disabled a key at AWS, it stays disabled. Another one comes with keyGeneration.
      { parent: this, dependsOn: policy, ignoreChanges: ["status"] },
    );
    return { accessKeyId: key.id, secretAccessKey: pulumi.secret(key.secret) };
  }
}
