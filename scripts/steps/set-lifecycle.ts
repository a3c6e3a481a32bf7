import { type LifecycleRule, PutBucketLifecycleConfigurationCommand } from "@aws-sdk/client-s3";
import { type Static, Type } from "typebox";
import { Value } from "typebox/value";

import { openCloudStore, requireVariable } from "../store/open-client.ts";
import { setUpBucket } from "../store/refused-call.ts";

// Run by `pulumi up` (infra/components/replica-bucket.ts) at a given store whose bucket the stack makes. Prints what it
// has set.
const HistoryRule = Type.Object({ id: Type.String(), prefix: Type.String(), days: Type.Integer({ minimum: 1 }) });
const history = Value.Parse(
  Type.Array(HistoryRule, { minItems: 1 }),
  JSON.parse(requireVariable(process.env, "LIFEBOAT_HISTORY_RULES")),
);
using store = await openCloudStore(process.env);
const { client, bucket: Bucket } = store;
const LifecycleConfiguration = { Rules: history.map(expireOld) };
await setUpBucket(
  store,
  {
    call: "PutBucketLifecycleConfiguration",
    without: "gets no lifecycle, so its old versions and delete markers would pile up without end",
    instead: "without versioning or with such rules",
  },
  () => client.send(new PutBucketLifecycleConfigurationCommand({ Bucket, LifecycleConfiguration })),
);
console.log(`old versions: ${history.map(({ prefix, days }) => `${days} days under ${prefix || "/"}`).join(", ")}`);

// Never a rule for current objects, as in infra/components/replica-bucket.ts.
function expireOld({ id, prefix, days }: Static<typeof HistoryRule>): LifecycleRule {
  return {
    ID: id,
    Status: "Enabled",
    Filter: { Prefix: prefix },
    NoncurrentVersionExpiration: { NoncurrentDays: days },
    Expiration: { ExpiredObjectDeleteMarker: true },
    AbortIncompleteMultipartUpload: { DaysAfterInitiation: 7 },
  };
}
