import {
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteObjectsCommand,
  HeadBucketCommand,
  ListObjectVersionsCommand,
} from "@aws-sdk/client-s3";

import { textAt } from "../provider/properties.ts";
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
      // The provider looks first, since us-east-1 answers 200 to whoever makes a bucket of his own twice.
      if (await orNull(s3.send(new HeadBucketCommand({ Bucket })))) throw new Error(`BucketAlreadyExists: ${Bucket}`);
      await s3.send(new CreateBucketCommand({ Bucket }));
      return { id: Bucket, state: stateOf(Bucket) };
    },
    read: async (id) => ((await orNull(s3.send(new HeadBucketCommand({ Bucket: id })))) ? stateOf(id) : null),
    importedInputs: (id) => ({ bucket: id, forceDestroy: false }),
    update: async (id) => stateOf(id),
    delete: async (id, state) => {
      // What counts is what `forceDestroy` was when it was last applied, not what the program says now.
      if (state["forceDestroy"] === true) await emptyBucket(account, id, "");
      await orNull(s3.send(new DeleteBucketCommand({ Bucket: id })));
    },
  };
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
