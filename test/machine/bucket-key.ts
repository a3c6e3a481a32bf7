import { DeleteAccessKeyCommand, IAMClient } from "@aws-sdk/client-iam";
import { GetObjectCommand } from "@aws-sdk/client-s3";

import { waitFor } from "../../app/cli/wait-for.ts";
import { machinePolicy } from "../../infra/policies/access-policy.ts";
import type { ReleaseBucket } from "../cloud-init/release-bucket.ts";
import { type Key, makeLimitedKey, openS3 } from "../infra/limited-key.ts";

/** A key with the rights of a machine, and of a user of that name. */
export function makeMachineKey({ access, place }: ReleaseBucket, user: string): Promise<Key> {
  return makeLimitedKey(access, user, machinePolicy(place.bucket));
}

/** Returns when the store refuses the key. */
export async function revokeKey({ access, place }: ReleaseBucket, user: string, key: Key): Promise<void> {
  const { endpoint, region } = access;
  const iam = new IAMClient({ endpoint, region, credentials: access, maxAttempts: 1 });
  await iam.send(new DeleteAccessKeyCommand({ UserName: user, AccessKeyId: key.accessKeyId }));
  iam.destroy();
  const s3 = openS3(access, key);
  const get = new GetObjectCommand({ Bucket: place.bucket, Key: "lifeboat.json" });
  const probe = () => s3.send(get).then(() => null, isRefusal);
  await waitFor("the store to refuse the old key", probe, { timeoutMs: 30_000, everyMs: 200 });
  s3.destroy();
}

function isRefusal(error: unknown): true | null {
  return error instanceof Error && error.name === "InvalidAccessKeyId" ? true : null;
}
