import {
  AbortMultipartUploadCommand,
  DeleteBucketCommand,
  DeleteObjectsCommand,
  HeadBucketCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  type ListObjectsV2CommandOutput,
  ListObjectVersionsCommand,
  type ListObjectVersionsCommandOutput,
  type MultipartUpload,
  type ObjectIdentifier,
  S3ServiceException,
} from "@aws-sdk/client-s3";

import { BucketError, toBucketError } from "../../app/replica/bucket-error.ts";
import { sentinelKey } from "../../app/replica/bucket.ts";
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

/**
 * Deletes every version and every delete marker of the keys that are wanted, and returns how many there were. At a store without versions (R2) it
 * deletes the objects. Throws when one cannot be deleted.
 */
export async function deleteVersions(
  place: Place,
  isWanted: (key: string) => boolean,
  count: Counted = () => {},
): Promise<number> {
  let deletedCount = 0;
  for await (const page of listVersions(place)) {
    const wanted = page.filter(({ Key }) => Key !== undefined && isWanted(Key));
    await deleteObjects(place, wanted);
    deletedCount += wanted.length;
    count(deletedCount);
  }
  return deletedCount;
}

/** Every version and delete marker, page by page; every object where the store does not know how to list versions. */
async function* listVersions({ client, bucket }: Place): AsyncGenerator<ObjectIdentifier[]> {
  let page: { KeyMarker?: string | undefined; VersionIdMarker?: string | undefined } | null = {};
  while (page !== null) {
    let listed: ListObjectVersionsCommandOutput;
    try {
      listed = await client.send(new ListObjectVersionsCommand({ Bucket: bucket, ...page }));
    } catch (error) {
      if (!isUnsupported(error)) throw error;
      yield* listObjects({ client, bucket });
      return;
    }
    yield [...(listed.Versions ?? []), ...(listed.DeleteMarkers ?? [])].map(({ Key, VersionId }) => ({
      Key,
      VersionId,
    }));
    page =
      listed.IsTruncated === true
        ? { KeyMarker: listed.NextKeyMarker, VersionIdMarker: listed.NextVersionIdMarker }
        : null;
  }
}

async function* listObjects({ client, bucket }: Place): AsyncGenerator<ObjectIdentifier[]> {
  let ContinuationToken: string | undefined;
  do {
    const asked = new ListObjectsV2Command({ Bucket: bucket, ContinuationToken });
    const listed: ListObjectsV2CommandOutput = await client.send(asked);
    yield (listed.Contents ?? []).map(({ Key }) => ({ Key }));
    ContinuationToken = listed.NextContinuationToken;
  } while (ContinuationToken !== undefined);
}

/** Whether nothing lies in the bucket. A version that is covered by a delete marker counts. */
export async function isEmpty(place: Place): Promise<boolean> {
  for await (const page of listVersions(place)) if (page.length > 0) return false;
  return true;
}

function isUnsupported(error: unknown): boolean {
  const fault = toBucketError(error, "listing");
  return fault instanceof BucketError && fault.kind === "unsupported";
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

async function abortUploads(place: Place): Promise<void> {
  const { client, bucket } = place;
  for (const { Key, UploadId } of await listUploads(place))
    await client.send(new AbortMultipartUploadCommand({ Bucket: bucket, Key, UploadId }));
}

async function listUploads({ client, bucket }: Place): Promise<MultipartUpload[]> {
  try {
    return (await client.send(new ListMultipartUploadsCommand({ Bucket: bucket }))).Uploads ?? [];
  } catch (error) {
    // What cannot be listed cannot be aborted here, and is no reason to keep the objects.
    if (isUnsupported(error)) return [];
    throw error;
  }
}
