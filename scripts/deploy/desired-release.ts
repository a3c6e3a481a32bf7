import { type Static, Type } from "typebox";

import { wantedReleaseKey, WantedReleaseSchema } from "../../app/deploys/wanted-release.ts";
import type { CloudStore } from "../store/open-client.ts";
import { putJson } from "../store/store-object.ts";
import { fetchKnownJson } from "./fetch-known-json.ts";

const sha256 = Type.String({ pattern: "^[0-9a-f]{64}$" });
const DesiredReleaseSchema = Type.Object({ sha256, previous: Type.Union([sha256, Type.Null()]) });

/** What a new machine installs, and what it was before. */
export type DesiredRelease = Static<typeof DesiredReleaseSchema>;

const desiredReleaseKey = "desired-release.json";

/** What new machines install. Undefined before the first `up` has ended. */
export async function fetchDesiredRelease(store: CloudStore): Promise<DesiredRelease | undefined> {
  return (await fetchKnownJson(store, desiredReleaseKey, DesiredReleaseSchema))?.value;
}

/**
 * Makes a release the one that new machines install, unless another deploy has come after the one that brought it.
 * Returns what stands there now. Throws when somebody else changes it at the same time.
 */
export async function writeDesiredRelease(
  store: CloudStore,
  release: string,
  broughtBy?: string,
): Promise<DesiredRelease> {
  const standing = await fetchKnownJson(store, desiredReleaseKey, DesiredReleaseSchema);
  if (standing?.value.sha256 === release) return standing.value;
  // In this order: whoever comes after this look changes what was read before it.
  if (standing !== undefined && broughtBy !== undefined && (await isOvertaken(store, broughtBy))) return standing.value;
  const desired: DesiredRelease = { sha256: release, previous: standing?.value.sha256 ?? null };
  if (await putJson(store, desiredReleaseKey, { value: desired, etag: standing?.etag })) return desired;
  throw new Error(
    `${desiredReleaseKey} was changed by somebody else just now; look who deploys (npm run releases), then run this again`,
  );
}

async function isOvertaken(store: CloudStore, deploy: string): Promise<boolean> {
  const wish = await fetchKnownJson(store, wantedReleaseKey, WantedReleaseSchema);
  return wish !== undefined && wish.value.deploy !== deploy;
}
