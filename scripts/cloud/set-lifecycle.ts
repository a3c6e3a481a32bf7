import { type LifecycleRule, PutBucketLifecycleConfigurationCommand } from "@aws-sdk/client-s3";

import { BucketError, toBucketError } from "../../app/replica/bucket-error.ts";
import { openCloudStore, requireVariable } from "./open-client.ts";
import { refusesCall } from "./refused-call.ts";

// Run by `pulumi up` (infra/replica-bucket.ts) at a given store whose bucket the stack makes. Prints what it has set.
const days = {
  epochs: Number(requireVariable(process.env, "LIFEBOAT_EPOCHS_DAYS")),
  others: Number(requireVariable(process.env, "LIFEBOAT_OTHERS_DAYS")),
};
using store = await openCloudStore(process.env);
const { client, bucket: Bucket } = store;
const call = "PutBucketLifecycleConfiguration";
try {
  const Rules = [expireHistory("epochs", "epochs/", days.epochs), expireHistory("history", "", days.others)];
  await client.send(new PutBucketLifecycleConfigurationCommand({ Bucket, LifecycleConfiguration: { Rules } }));
} catch (error) {
  const fault = toBucketError(error, `${call} (bucket ${Bucket})`);
  if (!(fault instanceof BucketError) || !refusesCall(fault)) throw fault;
  throw new Error(
    `bucket ${Bucket} gets no lifecycle, so its old versions and delete markers would pile up without end: the store refuses ${call}. ` +
      `Make the bucket yourself, without versioning or with such rules, and leave createBucket away. ${fault.message}`,
    { cause: error },
  );
}
console.log(`old versions: ${days.epochs} days under epochs/, ${days.others} elsewhere`);

// Never a rule for current objects, as in infra/replica-bucket.ts.
function expireHistory(ID: string, Prefix: string, NoncurrentDays: number): LifecycleRule {
  return {
    ID,
    Status: "Enabled",
    Filter: { Prefix },
    NoncurrentVersionExpiration: { NoncurrentDays },
    Expiration: { ExpiredObjectDeleteMarker: true },
    AbortIncompleteMultipartUpload: { DaysAfterInitiation: 7 },
  };
}
