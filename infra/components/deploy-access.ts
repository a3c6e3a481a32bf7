import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";

import { deployPolicy } from "../policies/access-policy.ts";
import type { AccessKey } from "./replica-access.ts";
import type { ReplicaBucket } from "./replica-bucket.ts";

export type DeployAccessArgs = {
  bucket: ReplicaBucket;
  /** Whether there is one at all. */
  enabled: boolean;
};

/**
 * The key by which CI deploys. It works from everywhere, because the addresses of CI runners change. Undefined where
 * nobody asked for it, and at a given store, which has no IAM.
 */
export class DeployAccess extends pulumi.ComponentResource {
  readonly key: AccessKey | undefined;

  constructor(name: string, args: DeployAccessArgs, options: pulumi.ComponentResourceOptions = {}) {
    super("lifeboat:index:DeployAccess", name, {}, options);
    this.key = args.enabled ? this.#makeIdentity(name, args) : undefined;
    this.registerOutputs({ key: this.key });
  }

  #makeIdentity(name: string, { bucket }: DeployAccessArgs): AccessKey {
    const user = new aws.iam.User(
      name,
      { path: "/lifeboat/", forceDestroy: true, tags: { bucket: bucket.store.bucket } },
      // As for the machine's identity.
      { parent: this, ignoreChanges: ["permissionsBoundary", "tags", "tagsAll"] },
    );
    const document = JSON.stringify(deployPolicy(bucket.store.bucket));
    const policy = new aws.iam.UserPolicy(name, { user: user.name, policy: document }, { parent: this });
    const key = new aws.iam.AccessKey(
      name,
      { user: user.name },
      { parent: this, dependsOn: policy, ignoreChanges: ["status"] },
    );
    return { accessKeyId: pulumi.secret(key.id), secretAccessKey: pulumi.secret(key.secret) };
  }
}
