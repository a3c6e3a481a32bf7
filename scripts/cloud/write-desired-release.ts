import { writeDesiredRelease } from "./desired-release.ts";
import { openCloudStore, requireVariable } from "./open-client.ts";
import { assertBucketId } from "./sentinel.ts";

// Run by `pulumi up` (infra/active-release.ts) once the release has answered /ready. Prints its hash.
using store = await openCloudStore(process.env);
await assertBucketId(store, requireVariable(process.env, "LIFEBOAT_BUCKET_ID"));
const desired = await writeDesiredRelease(store, requireVariable(process.env, "LIFEBOAT_RELEASE"));
console.log(desired.sha256);
