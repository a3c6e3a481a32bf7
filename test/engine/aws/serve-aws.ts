import type { ProviderCall, Resource, Workplace } from "../provider/resource.ts";
import { type ServedProvider, serveProvider } from "../provider/serve-provider.ts";
import { type Account, accountId } from "./account.ts";
import { bucketObjectResource } from "./bucket-object.ts";
import { bucketSettings } from "./bucket-settings.ts";
import { bucketResource, findBucket } from "./bucket.ts";
import { accessKeyResource, userPolicyResource, userResource } from "./identities.ts";
import { withRights } from "./rights.ts";

/**
 * Stands in for the aws provider, which cannot be had without the internet: it carries that provider's facts (what
 * forces a replacement, what deletion does, which rights it needs), and every call that it makes goes to a real S3 and IAM server.
 */
export function serveAws(account: Account, calls: ProviderCall[], workplace: Workplace): Promise<ServedProvider> {
  const resources: Record<string, Resource> = {
    "aws:s3/bucket:Bucket": bucketResource(account),
    ...bucketSettings(account),
    "aws:s3/bucketObjectv2:BucketObjectv2": bucketObjectResource(account, workplace),
    "aws:s3/bucketObject:BucketObject": bucketObjectResource(account, workplace),
    "aws:iam/user:User": userResource(account),
    "aws:iam/userPolicy:UserPolicy": userPolicyResource(account),
    "aws:iam/accessKey:AccessKey": accessKeyResource(account),
  };
  const guarded = Object.entries(resources).map(([type, resource]) => [type, withRights(type, resource)] as const);
  const provider = {
    version: "7.48.0",
    resources: Object.fromEntries(guarded),
    functions: {
      "aws:index/getCallerIdentity:getCallerIdentity": async () => ({ accountId, id: accountId, arn: "", userId: "" }),
      "aws:s3/getBucket:getBucket": findBucket(account),
    },
  };
  return serveProvider(provider, calls);
}
