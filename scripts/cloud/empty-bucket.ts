import {
  AbortMultipartUploadCommand,
  DeleteBucketCommand,
  DeleteObjectsCommand,
  HeadBucketCommand,
  ListMultipartUploadsCommand,
  ListObjectVersionsCommand,
  type ListObjectVersionsCommandOutput,
  type ObjectIdentifier,
  S3ServiceException,
} from "@aws-sdk/client-s3";

import { sentinelKey } from "../../app/replica/sentinel.ts";
import type { CloudStore } from "./open-client.ts";

type Place = Pick<CloudStore, "client" | "bucket">;
type Counted = (deletedCount: number) => void;

/**
 * Deletes every version of every object, and what was begun to be uploaded. The sentinel goes last: while it stands, the bucket says whose
 * it is, and an emptying that was cut off can go on. Throws when an object cannot be deleted.
 */
export async function emptyBucket(store: CloudStore, count: Counted): Promise<number> {
  await abortUploads(store);
  const deleted = await deleteVersions(store, (key) => key !== sentinelKey, count);
  return deleted + (await deleteVersions(store, () => true));
}

/** Whether there is such a bucket. Throws when the store does not say. */
export async function bucketExists({ client, bucket }: CloudStore): Promise<boolean> {
  try {
    await client.send(new HeadBucketCommand({ Bucket: bucket }));
    return true;
  } catch (error) {
    if (error instanceof S3ServiceException && error.$metadata.httpStatusCode === 404) return false;
    throw new Error(`looking for bucket ${bucket}`, { cause: error });
  }
}

/** Deletes the bucket itself, which must be empty. */
export async function deleteBucket({ client, bucket }: CloudStore): Promise<void> {
  try {
    await client.send(new DeleteBucketCommand({ Bucket: bucket }));
  } catch (error) {
    // The answer to a first try was lost.
    if (!(error instanceof S3ServiceException) || error.name !== "NoSuchBucket") throw error;
  }
}

/** Deletes every version and every delete marker of the keys that are wanted, and returns how many there were. Throws when one cannot be deleted. */
export async function deleteVersions(
  { client, bucket }: Place,
  isWanted: (key: string) => boolean,
  count: Counted = () => {},
): Promise<number> {
  let deletedCount = 0;
  let page: { KeyMarker?: string | undefined; VersionIdMarker?: string | undefined } | null = {};
  while (page !== null) {
    const listed: ListObjectVersionsCommandOutput = await client.send(
      new ListObjectVersionsCommand({ Bucket: bucket, ...page }),
    );
    const found = [...(listed.Versions ?? []), ...(listed.DeleteMarkers ?? [])].flatMap(({ Key, VersionId }) =>
      Key !== undefined && isWanted(Key) ? [{ Key, VersionId }] : [],
    );
    await deleteObjects({ client, bucket }, found);
    deletedCount += found.length;
    count(deletedCount);
    page =
      listed.IsTruncated === true
        ? { KeyMarker: listed.NextKeyMarker, VersionIdMarker: listed.NextVersionIdMarker }
        : null;
  }
  return deletedCount;
}

async function deleteObjects({ client, bucket }: Place, Objects: ObjectIdentifier[]): Promise<void> {
  if (Objects.length === 0) return;
  const { Errors = [] } = await client.send(
    new DeleteObjectsCommand({ Bucket: bucket, Delete: { Objects, Quiet: true } }),
  );
  const [first] = Errors;
  if (first !== undefined)
    throw new Error(
      `${Errors.length} objects of ${bucket} cannot be deleted, the first is ${first.Key}: ${first.Message}`,
    );
}

async function abortUploads({ client, bucket }: CloudStore): Promise<void> {
  const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand({ Bucket: bucket }));
  for (const { Key, UploadId } of Uploads)
    await client.send(new AbortMultipartUploadCommand({ Bucket: bucket, Key, UploadId }));
}
