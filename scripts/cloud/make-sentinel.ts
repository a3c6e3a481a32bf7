import { openCloudStore, requireVariable } from "./open-client.ts";
import { probeStore } from "./probe-store.ts";
import { makeOrAdoptSentinel } from "./sentinel.ts";

// Run by `pulumi up` (infra/replica-bucket.ts) before a machine is bought. Prints the bucket's id.
const environment = process.env;
using store = await openCloudStore(environment);
const bucketId = await makeOrAdoptSentinel(store, {
  owner: requireVariable(environment, "LIFEBOAT_OWNER"),
  expectedId: environment["LIFEBOAT_BUCKET_ID"] || undefined,
  // What this script printed the last time, by the command provider's addPreviousOutputInEnv.
  rememberedId: environment["PULUMI_COMMAND_STDOUT"]?.trim() || undefined,
});
// Not sooner: into a bucket that is not ours nothing is written.
const warning = await probeStore(store, environment);
if (warning !== null) console.error(warning);
console.log(bucketId);
