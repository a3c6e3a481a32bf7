import { createHash } from "node:crypto";

import * as pulumi from "@pulumi/pulumi";

import { type UserDataInput, renderUserData } from "../cloud-init/user-data.ts";
import type { AppRelease } from "./app-release.ts";
import type { InfraConfig } from "./config.ts";
import type { AccessKey } from "./replica-access.ts";
import type { ReplicaBucket } from "./replica-bucket.ts";

export type MachineIdentity = {
  config: InfraConfig;
  bucket: ReplicaBucket;
  key: AccessKey;
  release: AppRelease;
};

/** Everything that a bare image needs to become this machine. Secret as a whole: the bucket's key is in it. */
export function machineUserData({ config, bucket, key, release }: MachineIdentity): pulumi.Output<string> {
  const { store } = bucket;
  const birth = pulumi.all([
    bucket.bucketId,
    key.accessKeyId,
    key.secretAccessKey,
    digestTokens(config.apiTokens),
    release.sha256,
  ]);
  const rendered = birth.apply(([bucketId, accessKeyId, secretAccessKey, apiTokensSha256, sha256]) => {
    const input: UserDataInput = {
      hostname: config.name,
      release: { sha256 },
      filesystem: config.filesystem,
      bucket: {
        bucket: store.bucket,
        region: store.region,
        ...(store.endpoint === undefined ? {} : { endpoint: store.endpoint }),
        pathStyle: store.pathStyle,
        bucketId,
      },
      key: { accessKeyId, secretAccessKey },
      apiTokensSha256,
      replicationIntervalMs: config.replicationIntervalMs,
      retentionHours: config.retentionHours,
    };
    return renderUserData(input);
  });
  return pulumi.secret(rendered);
}

/** The machine keeps digests of the tokens, never the tokens. */
export function digestTokens(tokens: pulumi.Output<string>): pulumi.Output<string[]> {
  return tokens.apply((list) => list.split(",").map((token) => createHash("sha256").update(token).digest("hex")));
}
