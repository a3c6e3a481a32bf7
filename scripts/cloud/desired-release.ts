import { type Static, Type } from "typebox";

import type { CloudStore } from "./open-client.ts";
import { fetchJson, putJson } from "./store-object.ts";

const sha256 = Type.String({ pattern: "^[0-9a-f]{64}$" });
const DesiredReleaseSchema = Type.Object({ sha256, previous: Type.Union([sha256, Type.Null()]) });

/** The release that a new machine installs, and the previous one. */
export type DesiredRelease = Static<typeof DesiredReleaseSchema>;

const desiredReleaseKey = "desired-release.json";

/**
 * Makes a release the one that new machines install. Returns the resulting object. Throws when somebody else changes it
 * at the same time.
 */
export async function writeDesiredRelease(store: CloudStore, release: string): Promise<DesiredRelease> {
  const standing = await fetchJson(store, desiredReleaseKey, DesiredReleaseSchema);
  if (standing?.value.sha256 === release) return standing.value;
  const desired: DesiredRelease = { sha256: release, previous: standing?.value.sha256 ?? null };
  if (await putJson(store, desiredReleaseKey, { value: desired, etag: standing?.etag })) return desired;
  throw new Error(
    `${desiredReleaseKey} was changed by somebody else just now; look who deploys, then run pulumi up again`,
  );
}
