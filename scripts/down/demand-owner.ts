import { sentinelKey } from "../../app/replica/bucket.ts";
import { Refused } from "../cli/run-verb.ts";
import { isEmpty } from "../store/empty-bucket.ts";
import type { CloudStore } from "../store/open-client.ts";
import { fetchOwnedSentinel } from "../store/sentinel.ts";

/**
 * Throws Refused unless the bucket's sentinel names the owner (project/stack). An empty bucket without one passes: the sentinel goes last, so
 * that is what a deletion leaves that was cut off.
 */
export async function demandOwner(store: CloudStore, owner: string): Promise<void> {
  const sentinel = await fetchOwnedSentinel(store);
  if (sentinel?.owner === owner) return;
  if (sentinel === undefined && (await isEmpty(store))) return;
  throw new Refused(
    `${describe(store, sentinel)}, and this is ${owner}: its data is not deleted here. Nothing was changed; name the stack that it belongs to: --stack NAME`,
  );
}

function describe({ bucket }: CloudStore, sentinel: { owner?: string } | undefined): string {
  if (sentinel === undefined)
    return `bucket ${bucket} has no ${sentinelKey} and is not empty, so nobody knows whose it is`;
  return `bucket ${bucket} belongs to ${sentinel.owner ?? "nobody who is named"}`;
}
