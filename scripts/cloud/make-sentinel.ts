import { openCloudStore, requireVariable } from "./open-client.ts";
import { makeOrAdoptSentinel } from "./sentinel.ts";

// Run by `pulumi up` (infra/replica-bucket.ts). Prints the bucket's id.
const environment = process.env;
using store = await openCloudStore(environment);
const bucketId = await makeOrAdoptSentinel(store, {
  owner: requireVariable(environment, "LIFEBOAT_OWNER"),
  expectedId: environment["LIFEBOAT_BUCKET_ID"] || undefined,
  // What this script printed the last time, by the command provider's addPreviousOutputInEnv.
  rememberedId: environment["PULUMI_COMMAND_STDOUT"]?.trim() || undefined,
});
console.log(bucketId);
