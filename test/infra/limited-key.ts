import { Agent } from "node:http";

import { CreateAccessKeyCommand, CreateUserCommand, IAMClient, PutUserPolicyCommand } from "@aws-sdk/client-iam";
import { CreateBucketCommand, PutBucketVersioningCommand, S3Client } from "@aws-sdk/client-s3";

import type { PolicyDocument } from "../../infra/policies/access-policy.ts";
import type { StoreAccess } from "../../scripts/local/seaweed-store.ts";

export type Key = { accessKeyId: string; secretAccessKey: string };

/** Makes a versioned bucket as its owner. */
export async function makeBucket(access: StoreAccess, bucket: string): Promise<void> {
  const owner = openS3(access, access);
  await owner.send(new CreateBucketCommand({ Bucket: bucket }));
  await owner.send(new PutBucketVersioningCommand({ Bucket: bucket, VersioningConfiguration: { Status: "Enabled" } }));
  owner.destroy();
}

/** Makes a user with one policy on the server's own IAM, and a key of that user. */
export async function makeLimitedKey(access: StoreAccess, name: string, policy: PolicyDocument): Promise<Key> {
  const iam = openIam(access);
  await iam.send(new CreateUserCommand({ UserName: name }));
  const document = JSON.stringify(policy);
  await iam.send(new PutUserPolicyCommand({ UserName: name, PolicyName: name, PolicyDocument: document }));
  const { AccessKey } = await iam.send(new CreateAccessKeyCommand({ UserName: name }));
  iam.destroy();
  if (AccessKey?.AccessKeyId === undefined || AccessKey.SecretAccessKey === undefined)
    throw new Error("no key was made");
  return { accessKeyId: AccessKey.AccessKeyId, secretAccessKey: AccessKey.SecretAccessKey };
}

/** A client of the store with one key, that tries everything once; from another address of loopback if one is given. */
export function openS3(
  { endpoint, region }: StoreAccess,
  { accessKeyId, secretAccessKey }: Key,
  localAddress?: string,
): S3Client {
  return new S3Client({
    requestHandler: { httpAgent: new Agent(localAddress === undefined ? {} : { localAddress }) },
    endpoint,
    region,
    forcePathStyle: true,
    credentials: { accessKeyId, secretAccessKey },
    maxAttempts: 1,
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
  });
}

function openIam({ endpoint, region, accessKeyId, secretAccessKey }: StoreAccess): IAMClient {
  return new IAMClient({ endpoint, region, credentials: { accessKeyId, secretAccessKey }, maxAttempts: 1 });
}
