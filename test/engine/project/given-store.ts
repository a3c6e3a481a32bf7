import type { ConfigMap } from "@pulumi/pulumi/automation/index.js";

import type { Ground } from "./open-project.ts";

export type GivenBucket = Readonly<{
  bucket: string;
  createBucket: boolean;
  /** That of AWS's double, if no other is given. */
  endpoint?: string;
}>;

/** The settings of a store that speaks S3 and has neither IAM nor a login of its own. */
export function describeGivenStore(
  { account }: Pick<Ground, "account">,
  { bucket, createBucket, endpoint }: GivenBucket,
): ConfigMap {
  const { AWS_ENDPOINT_URL = "" } = account.environment;
  const { accessKeyId, secretAccessKey } = account.owner;
  return {
    store: { value: "s3" },
    endpoint: { value: endpoint ?? AWS_ENDPOINT_URL },
    region: { value: account.region },
    bucket: { value: bucket },
    createBucket: { value: String(createBucket) },
    accessKeyId: { value: accessKeyId },
    secretAccessKey: { value: secretAccessKey, secret: true },
  };
}
