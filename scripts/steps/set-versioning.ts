import { PutBucketVersioningCommand } from "@aws-sdk/client-s3";

import { openCloudStore } from "../store/open-client.ts";
import { setUpBucket } from "../store/refused-call.ts";

// Run by `pulumi up` (infra/components/replica-bucket.ts) at a given store whose bucket the stack makes. Prints what it
// has set.
using store = await openCloudStore(process.env);
const { client, bucket: Bucket } = store;
await setUpBucket(
  store,
  {
    call: "PutBucketVersioning",
    without: "keeps no old versions, so what a stolen key deletes or overwrites would be gone",
    instead: "with versioning if the store has it",
  },
  () => client.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status: "Enabled" } })),
);
console.log("versioning: enabled");
