import {
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteBucketLifecycleCommand,
  DeleteBucketPolicyCommand,
  DeleteObjectsCommand,
  GetBucketLifecycleConfigurationCommand,
  GetBucketPolicyCommand,
  GetBucketVersioningCommand,
  HeadBucketCommand,
  ListObjectVersionsCommand,
  PutBucketVersioningCommand,
} from "@aws-sdk/client-s3";

import { type Properties, textAt } from "../provider/properties.ts";
import type { ProviderFunction, Resource } from "../provider/resource.ts";
import { type Account, orNull } from "./account.ts";

/** aws.s3.Bucket, which is Terraform's aws_s3_bucket (internal/service/s3/bucket.go). */
export function bucketResource(account: Account): Resource {
  const { s3, region } = account;
  const stateOf = (bucket: string) => ({
    bucket,
    arn: `arn:aws:s3:::${bucket}`,
    region,
    bucketRegionalDomainName: `${bucket}.s3.${region}.amazonaws.com`,
  });
  return {
    replaceOn: ["bucket", "bucketPrefix", "objectLockEnabled"],
    namedBy: "bucket",
    defaults: { forceDestroy: false },
    create: async (inputs) => {
      const Bucket = textAt(inputs, "bucket");
      // The provider looks first, because us-east-1 answers 200 when its owner makes a bucket twice.
      if (await orNull(s3.send(new HeadBucketCommand({ Bucket })))) throw new Error(`BucketAlreadyExists: ${Bucket}`);
      await s3.send(new CreateBucketCommand({ Bucket }));
      return { id: Bucket, state: stateOf(Bucket) };
    },
    read: async (id) => {
      const found = await orNull(s3.send(new HeadBucketCommand({ Bucket: id })));
      return found === null ? null : { ...stateOf(id), ...(await readOldInputs(account, id)) };
    },
    importedInputs: (id) => ({ bucket: id, forceDestroy: false }),
    // The settings were inputs of the bucket before they were resources. A refresh still writes them there, and an
    // update takes away what is not given.
    refreshedInputs: (state) =>
      Object.fromEntries(oldInputs.flatMap((name) => (name in state ? [[name, state[name] ?? null]] : []))),
    update: async (id, inputs, state) => {
      for (const name of oldInputs) if (name in state && !(name in inputs)) await dropSetting(account, id, name);
      return stateOf(id);
    },
    delete: async (id, state) => {
      // What counts is what `forceDestroy` was when it was last applied, not what the program says now.
      if (state["forceDestroy"] === true) await emptyBucket(account, id, "");
      await orNull(s3.send(new DeleteBucketCommand({ Bucket: id })));
    },
  };
}

const oldInputs = ["versioning", "lifecycleRules", "policy"] as const;

async function readOldInputs({ s3 }: Account, Bucket: string): Promise<Properties> {
  const { Status } = await s3.send(new GetBucketVersioningCommand({ Bucket }));
  const rules = await orNull(s3.send(new GetBucketLifecycleConfigurationCommand({ Bucket })));
  const policy = await orNull(s3.send(new GetBucketPolicyCommand({ Bucket })));
  return {
    ...(Status === "Enabled" && { versioning: { enabled: true, mfaDelete: false } }),
    ...(rules !== null && { lifecycleRules: (rules.Rules ?? []).map(({ ID }) => ({ id: ID ?? "" })) }),
    ...(policy?.Policy !== undefined && { policy: policy.Policy }),
  };
}

async function dropSetting({ s3 }: Account, Bucket: string, name: (typeof oldInputs)[number]): Promise<void> {
  if (name === "versioning") {
    const VersioningConfiguration = { Status: "Suspended" } as const;
    await s3.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration }));
  }
  if (name === "lifecycleRules") await s3.send(new DeleteBucketLifecycleCommand({ Bucket }));
  if (name === "policy") await s3.send(new DeleteBucketPolicyCommand({ Bucket }));
}

/** The invoke aws.s3.getBucket; the message is the one of bucket_data_source.go. */
export function findBucket({ s3, region }: Account): ProviderFunction {
  return async (inputs) => {
    const bucket = textAt(inputs, "bucket");
    const found = await orNull(s3.send(new HeadBucketCommand({ Bucket: bucket })));
    if (found === null) throw new Error(`reading S3 Bucket (${bucket}): couldn't find resource`);
    return { id: bucket, bucket, arn: `arn:aws:s3:::${bucket}`, region, bucketRegion: region };
  };
}

/** Deletes every version and every delete marker under a prefix. */
export async function emptyBucket({ s3 }: Account, Bucket: string, Prefix: string): Promise<void> {
  for (;;) {
    const page = await s3.send(new ListObjectVersionsCommand({ Bucket, Prefix }));
    const found = [...(page.Versions ?? []), ...(page.DeleteMarkers ?? [])];
    const Objects = found.flatMap(({ Key, VersionId }) => (Key && VersionId ? [{ Key, VersionId }] : []));
    if (Objects.length === 0) return;
    await s3.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects, Quiet: true } }));
  }
}
