import { setTimeout } from "node:timers/promises";

import {
  DeleteBucketEncryptionCommand,
  DeleteBucketLifecycleCommand,
  DeleteBucketOwnershipControlsCommand,
  DeleteBucketPolicyCommand,
  type LifecycleRule,
  PutBucketEncryptionCommand,
  PutBucketLifecycleConfigurationCommand,
  PutBucketOwnershipControlsCommand,
  PutBucketPolicyCommand,
  PutBucketVersioningCommand,
} from "@aws-sdk/client-s3";

import {
  optionalTextAt,
  type Properties,
  type Property,
  propertyAt,
  readProperties,
  textAt,
} from "../provider/properties.ts";
import type { Resource } from "../provider/resource.ts";
import type { Account } from "./account.ts";

type Setting = Readonly<{ put(inputs: Properties): Promise<unknown>; remove(bucket: string): Promise<unknown> }>;

/** The resources that hold one setting of a bucket each: their id is the bucket's name, and another bucket replaces them. */
export function bucketSettings(account: Account): Record<string, Resource> {
  return {
    "aws:s3/bucketVersioning:BucketVersioning": settingResource(versioning(account)),
    "aws:s3/bucketPolicy:BucketPolicy": settingResource(policy(account)),
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration": settingResource(lifecycle(account)),
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": settingResource(
      encryption(account),
    ),
    "aws:s3/bucketOwnershipControls:BucketOwnershipControls": settingResource(ownership(account)),
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": settingResource(publicAccessBlock(account)),
  };
}

function settingResource({ put, remove }: Setting): Resource {
  return {
    replaceOn: ["bucket", "expectedBucketOwner"],
    create: async (inputs) => {
      const bucket = textAt(inputs, "bucket");
      await alone(bucket, () => put(inputs));
      return { id: bucket, state: {} };
    },
    update: async (id, inputs) => {
      await alone(id, () => put(inputs));
      return inputs;
    },
    delete: (id) => alone(id, () => remove(id)),
  };
}

const changing = new Set<string>();
const changeMs = 50;

/** AWS, and more so the stores that copy it, refuse a change of a bucket while another one is under way; here every change takes a moment. */
async function alone(bucket: string, change: () => Promise<unknown>): Promise<void> {
  if (changing.has(bucket)) {
    throw new Error(`OperationAborted: a conflicting operation is in progress against bucket ${bucket} (409)`);
  }
  changing.add(bucket);
  try {
    await change();
    await setTimeout(changeMs);
  } finally {
    changing.delete(bucket);
  }
}

function versioning({ s3 }: Account): Setting {
  const put = (Bucket: string, status: string) => {
    const Status = status === "Enabled" ? "Enabled" : "Suspended";
    return s3.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status } }));
  };
  return {
    put: (inputs) => put(textAt(inputs, "bucket"), textAt(inputs, "versioningConfiguration.status")),
    // Versioning cannot be taken away again: the provider suspends it (bucket_versioning.go).
    remove: (bucket) => put(bucket, "Suspended"),
  };
}

function policy({ s3 }: Account): Setting {
  return {
    put: (inputs) =>
      s3.send(new PutBucketPolicyCommand({ Bucket: textAt(inputs, "bucket"), Policy: textAt(inputs, "policy") })),
    remove: (Bucket) => s3.send(new DeleteBucketPolicyCommand({ Bucket })),
  };
}

function lifecycle({ s3 }: Account): Setting {
  return {
    put: (inputs) => {
      const rules = listAt(inputs, "rules").map(toLifecycleRule);
      return s3.send(
        new PutBucketLifecycleConfigurationCommand({
          Bucket: textAt(inputs, "bucket"),
          LifecycleConfiguration: { Rules: rules },
        }),
      );
    },
    remove: (Bucket) => s3.send(new DeleteBucketLifecycleCommand({ Bucket })),
  };
}

function toLifecycleRule(property: Property): LifecycleRule {
  const rule = readProperties(property);
  const noncurrentDays = propertyAt(rule, "noncurrentVersionExpiration.noncurrentDays");
  const abortDays = propertyAt(rule, "abortIncompleteMultipartUpload.daysAfterInitiation");
  const days = propertyAt(rule, "expiration.days");
  const markers = propertyAt(rule, "expiration.expiredObjectDeleteMarker");
  return {
    ID: textAt(rule, "id"),
    Status: textAt(rule, "status") === "Enabled" ? "Enabled" : "Disabled",
    Filter: { Prefix: optionalTextAt(rule, "filter.prefix") ?? "" },
    ...(days !== null && { Expiration: { Days: Number(days) } }),
    ...(markers === true && { Expiration: { ExpiredObjectDeleteMarker: true } }),
    ...(noncurrentDays !== null && { NoncurrentVersionExpiration: { NoncurrentDays: Number(noncurrentDays) } }),
    ...(abortDays !== null && { AbortIncompleteMultipartUpload: { DaysAfterInitiation: Number(abortDays) } }),
  };
}

function encryption({ s3 }: Account): Setting {
  return {
    put: (inputs) =>
      s3.send(
        new PutBucketEncryptionCommand({
          Bucket: textAt(inputs, "bucket"),
          ServerSideEncryptionConfiguration: {
            Rules: [{ ApplyServerSideEncryptionByDefault: { SSEAlgorithm: "AES256" } }],
          },
        }),
      ),
    remove: (Bucket) => s3.send(new DeleteBucketEncryptionCommand({ Bucket })),
  };
}

function ownership({ s3 }: Account): Setting {
  return {
    put: (inputs) =>
      s3.send(
        new PutBucketOwnershipControlsCommand({
          Bucket: textAt(inputs, "bucket"),
          OwnershipControls: { Rules: [{ ObjectOwnership: "BucketOwnerEnforced" }] },
        }),
      ),
    remove: (Bucket) => s3.send(new DeleteBucketOwnershipControlsCommand({ Bucket })),
  };
}

/** SeaweedFS answers 501, so it is only remembered: nothing here proves that it is enforced. */
function publicAccessBlock({ settings }: Account): Setting {
  return {
    put: async (inputs) => settings.set(`publicAccessBlock ${textAt(inputs, "bucket")}`, JSON.stringify(inputs)),
    remove: async (bucket) => settings.delete(`publicAccessBlock ${bucket}`),
  };
}

function listAt(inputs: Properties, path: string): Property[] {
  const found = propertyAt(inputs, path);
  return Array.isArray(found) ? found : [];
}
