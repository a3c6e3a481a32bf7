import { type CloudStore, openCloudStore, requireVariable } from "./open-client.ts";
import { probeStore } from "./probe-store.ts";
import { explainRefusal } from "./refused-call.ts";
import { makeOrAdoptSentinel } from "./sentinel.ts";

// Run by `pulumi up` (infra/replica-bucket.ts) before a machine is bought. Prints the bucket's id.
const environment = process.env;
using store = await openCloudStore(environment);
try {
  console.log(await makeAndProbe(store));
} catch (error) {
  throw explainRefusal(store, error);
}

async function makeAndProbe(place: CloudStore): Promise<string> {
  const bucketId = await makeOrAdoptSentinel(place, {
    owner: requireVariable(environment, "LIFEBOAT_OWNER"),
    expectedId: environment["LIFEBOAT_BUCKET_ID"] || undefined,
    // The output of this script's last run, by the command provider's addPreviousOutputInEnv.
    rememberedId: environment["PULUMI_COMMAND_STDOUT"]?.trim() || undefined,
  });
  // Not earlier: nothing is written into a bucket that is not ours.
  for (const warning of await probeStore(place, environment)) console.error(warning);
  return bucketId;
}
