import * as pulumi from "@pulumi/pulumi";

import type { EdgeSettings } from "../../cloud-init/edge-file.ts";
import type { UserDataInput } from "../../cloud-init/user-data-input.ts";
import { renderUserData } from "../../cloud-init/user-data.ts";
import { digestTokens } from "../config/api-tokens.ts";
import type { InfraConfig } from "../config/config.ts";
import type { AppRelease } from "./app-release.ts";
import type { AccessKey } from "./replica-access.ts";
import type { ReplicaBucket } from "./replica-bucket.ts";

export type MachineIdentity = {
  config: InfraConfig;
  bucket: ReplicaBucket;
  key: AccessKey;
  edge: pulumi.Output<EdgeSettings>;
  release: AppRelease;
  settingsKey: pulumi.Output<string>;
};

/**
 * Everything that a bare image needs to become this machine. Secret as a whole, because it contains the bucket's key.
 */
export function machineUserData({
  config,
  bucket,
  key,
  edge,
  release,
  settingsKey,
}: MachineIdentity): pulumi.Output<string> {
  const { store } = bucket;
  const birth = pulumi.all([
    bucket.bucketId,
    key.accessKeyId,
    key.secretAccessKey,
    config.apiTokens.apply(digestTokens),
    config.heartbeatUrl,
    release.sha256,
    edge,
    settingsKey,
  ]);
  const rendered = birth.apply(
    ([bucketId, accessKeyId, secretAccessKey, apiTokensSha256, heartbeatUrl, sha256, door, sealingKey]) => {
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
        edge: door,
        apiTokensSha256,
        ...(heartbeatUrl === undefined ? {} : { heartbeatUrl }),
        replicationIntervalMs: config.replicationIntervalMs,
        syncsPerMonth: config.syncsPerMonth,
        retentionHours: config.retentionHours,
        settingsKey: sealingKey,
      };
      return renderUserData(input);
    },
  );
  return pulumi.secret(rendered);
}
