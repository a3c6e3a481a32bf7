import { type Static, Type } from "typebox";

import { type CloudStore, openCloudStore, requireVariable } from "../store/open-client.ts";
import { assertBucketId } from "../store/sentinel.ts";
import { fetchJson, putJson } from "../store/store-object.ts";

// Run by `pulumi up` (infra/components/active-release.ts) once the release has answered /ready. Prints its hash.

const sha256 = Type.String({ pattern: "^[0-9a-f]{64}$" });
const DesiredReleaseSchema = Type.Object({ sha256, previous: Type.Union([sha256, Type.Null()]) });

/** The release that a new machine installs, and the one before it. */
type DesiredRelease = Static<typeof DesiredReleaseSchema>;

const desiredReleaseKey = "desired-release.json";

/** Makes a release the one that new machines install. Throws when somebody else changes it at the same time. */
async function writeDesiredRelease(store: CloudStore, release: string): Promise<DesiredRelease> {
  const current = await fetchJson(store, desiredReleaseKey, DesiredReleaseSchema);
  if (current?.value.sha256 === release) return current.value;
  const desired: DesiredRelease = { sha256: release, previous: current?.value.sha256 ?? null };
  if (await putJson(store, desiredReleaseKey, { value: desired, etag: current?.etag })) return desired;
  throw new Error(
    `${desiredReleaseKey} was changed by somebody else just now; look who deploys, then run pulumi up again`,
  );
}

using store = await openCloudStore(process.env);
await assertBucketId(store, requireVariable(process.env, "LIFEBOAT_BUCKET_ID"));
const desired = await writeDesiredRelease(store, requireVariable(process.env, "LIFEBOAT_RELEASE"));
console.log(desired.sha256);
