import { randomBytes, randomUUID } from "node:crypto";

import { CreateBucketCommand, DeleteBucketCommand, PutBucketVersioningCommand, S3Client } from "@aws-sdk/client-s3";

import { BucketError, mayPass, toBucketError } from "../../app/replica/bucket-error.ts";
import { openBucket } from "../../app/replica/bucket.ts";
import { adviseOnStore } from "../../app/replica/diagnose-store.ts";
import type { BucketConfig } from "../../app/replica/s3-client.ts";
import { makeSentinel } from "../../app/replica/sentinel.ts";
import { deleteVersions } from "../store/empty-bucket.ts";
import type { StoreAccess } from "./seaweed-store.ts";

export type PreparedBucket = Readonly<{ config: BucketConfig; bucketId: string; made: boolean }>;

/**
 * Makes a bucket with versioning (or takes the named empty one) and writes the sentinel, like `pulumi up`. Throws when
 * the named bucket is not empty.
 */
export async function prepareBucket(
  access: StoreAccess,
  named: string | null,
  purpose = "drill",
): Promise<PreparedBucket> {
  const made = `lifeboat-${purpose}-${randomBytes(6).toString("hex")}`;
  const config: BucketConfig = { ...access, bucket: named ?? made };
  using client = openClient(config);
  const Bucket = config.bucket;
  const where = `${access.endpoint}, bucket ${Bucket}`;
  if (named === null) {
    const region = access.region === "us-east-1" ? {} : awsRegion(access.region);
    const versioning = { Bucket, VersioningConfiguration: { Status: "Enabled" } } as const;
    await explained(`making a bucket (${where})`, bucketAdvice, () =>
      client.send(new CreateBucketCommand({ Bucket, ...region })),
    );
    await explained(`switching versioning on (${where})`, bucketAdvice, () =>
      client.send(new PutBucketVersioningCommand(versioning)),
    );
  } else {
    await assertEmpty(config);
  }
  const sentinel = await explained(`putting the sentinel (${where})`, null, () =>
    makeSentinel(openBucket(config), randomUUID()),
  );
  return { config, bucketId: sentinel.bucketId, made: named === null };
}

const bucketAdvice = "make an empty bucket yourself and name it with --bucket";

/** A store's refusal is often a single word. Adds the call, the store, and what to do. */
async function explained<Result>(doing: string, next: string | null, call: () => Promise<Result>): Promise<Result> {
  try {
    return await call();
  } catch (thrown) {
    const error = toBucketError(thrown, doing);
    const advice = next !== null && error instanceof BucketError && !mayPass(error) ? next : adviseOnStore(error);
    throw advice === null ? error : new Error(`${String(error)}; ${advice}`);
  }
}

/** Deletes what the drill put into the bucket, in all versions, and the bucket if the drill made it. */
export async function removeBucket({ config, made }: PreparedBucket): Promise<void> {
  using client = openClient(config);
  const Bucket = config.bucket;
  await deleteVersions({ client, bucket: Bucket }, isOurs);
  if (made) await client.send(new DeleteBucketCommand({ Bucket }));
}

function isOurs(key: string): boolean {
  return (
    key === "lifeboat.json" ||
    key === "head.json" ||
    ["epochs/", "reports/", "files/"].some((folder) => key.startsWith(folder))
  );
}

async function assertEmpty(config: BucketConfig): Promise<void> {
  const [first] = await openBucket(config).listTop();
  if (first === undefined) return;
  throw new Error(
    `bucket ${config.bucket} holds ${first}: the drill needs an empty bucket; name another with --bucket`,
  );
}

// AWS demands the region of a new bucket also in the body, except for us-east-1. Other stores accept that.
function awsRegion(region: string): Pick<CreateBucketCommand["input"], "CreateBucketConfiguration"> {
  const regions: Record<string, string> = { LocationConstraint: region };
  return { CreateBucketConfiguration: regions };
}

function openClient({ region, endpoint, pathStyle, accessKeyId, secretAccessKey }: BucketConfig) {
  const client = new S3Client({
    region,
    ...(endpoint !== undefined && { endpoint }),
    forcePathStyle: pathStyle,
    credentials: { accessKeyId, secretAccessKey },
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
    requestHandler: { connectionTimeout: 2000, requestTimeout: 10_000, throwOnRequestTimeout: true },
  });
  return Object.assign(client, { [Symbol.dispose]: () => client.destroy() });
}
