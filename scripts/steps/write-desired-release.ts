import { writeDesiredRelease } from "../deploy/desired-release.ts";
import { openCloudStore, requireVariable } from "../store/open-client.ts";
import { assertBucketId } from "../store/sentinel.ts";

// Run by `pulumi up` (infra/components/active-release.ts) once the release has answered /ready. Prints its hash.
using store = await openCloudStore(process.env);
await assertBucketId(store, requireVariable(process.env, "LIFEBOAT_BUCKET_ID"));
const desired = await writeDesiredRelease(store, requireVariable(process.env, "LIFEBOAT_RELEASE"));
console.log(desired.sha256);
