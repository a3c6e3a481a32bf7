import { type CloudStore, openCloudStore, requireVariable } from "../store/open-client.ts";
import { probeStore } from "../store/probe-store.ts";
import { explainRefusal } from "../store/refused-call.ts";
import { makeOrAdoptSentinel } from "../store/sentinel.ts";

// Run by `pulumi up` (infra/components/replica-bucket.ts) before a machine is bought. Prints the bucket's id.
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
  // After the sentinel: the probe writes, and only a bucket of ours may be written to.
  for (const warning of await probeStore(place, environment)) console.error(warning);
  return bucketId;
}
