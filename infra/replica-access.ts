import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";

import { type PolicyDocument, machinePolicy, verifierPolicy } from "./access-policy.ts";
import type { ReplicaBucket } from "./replica-bucket.ts";

export type AccessKey = { accessKeyId: pulumi.Output<string>; secretAccessKey: pulumi.Output<string> };

export type ReplicaAccessArgs = {
  bucket: ReplicaBucket;
  /** Another number makes another key; the former goes once everything that uses the new one has succeeded. */
  keyGeneration: number;
};

/** Who may reach the bucket: the machine with the least rights it can live with, and a reader that verifies. A given store's keys are taken as they are. */
export class ReplicaAccess extends pulumi.ComponentResource {
  readonly machineKey: AccessKey;
  readonly verifierKey: AccessKey;

  constructor(
    name: string,
    { bucket, keyGeneration }: ReplicaAccessArgs,
    options: pulumi.ComponentResourceOptions = {},
  ) {
    super("lifeboat:index:ReplicaAccess", name, {}, options);
    const { keys } = bucket.store;
    if (keys === undefined) {
      this.machineKey = this.#makeIdentity(`${name}-machine`, {
        bucket,
        policy: machinePolicy(bucket.store.bucket),
        keyGeneration,
      });
      this.verifierKey = this.#makeIdentity(`${name}-verifier`, {
        bucket,
        policy: verifierPolicy(bucket.store.bucket),
        keyGeneration: 1,
      });
    } else {
      const given = { accessKeyId: pulumi.output(keys.accessKeyId), secretAccessKey: keys.secretAccessKey };
      this.machineKey = given;
      this.verifierKey = given;
      void pulumi.log.info(
        "the store's own key goes to the machine: its rights are whatever the store gave it (no IAM here)",
        this,
      );
    }
    this.registerOutputs({ machineKey: this.machineKey, verifierKey: this.verifierKey });
  }

  #makeIdentity(
    name: string,
    args: { bucket: ReplicaBucket; policy: PolicyDocument; keyGeneration: number },
  ): AccessKey {
    // forceDestroy: a key made by hand must not stand in the way of taking the rights away.
    const user = new aws.iam.User(
      name,
      { path: "/lifeboat/", forceDestroy: true, tags: { bucket: args.bucket.store.bucket } },
      { parent: this },
    );
    const policy = new aws.iam.UserPolicy(
      name,
      { user: user.name, policy: JSON.stringify(args.policy) },
      { parent: this },
    );
    const key = new aws.iam.AccessKey(
      `${name}-${args.keyGeneration}`,
      { user: user.name },
      { parent: this, dependsOn: policy },
    );
    return { accessKeyId: key.id, secretAccessKey: pulumi.secret(key.secret) };
  }
}
