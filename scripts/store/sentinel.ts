import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";

import { ListObjectsV2Command } from "@aws-sdk/client-s3";
import { type Static, Type } from "typebox";

import { mayPass, toBucketError } from "../../app/replica/bucket-error.ts";
import { sentinelKey } from "../../app/replica/bucket.ts";
import { assertListing, limitTries, pageLimitMs } from "../../app/replica/lister.ts";
import type { CloudStore } from "./open-client.ts";
import { fetchJson, putJson } from "./store-object.ts";

const OwnedSentinelSchema = Type.Object({
  format: Type.Literal(1),
  bucketId: Type.String({ minLength: 8 }),
  /** project/stack that made the bucket. Absent in a bucket that no stack made. */
  owner: Type.Optional(Type.String()),
});

type OwnedSentinel = Static<typeof OwnedSentinelSchema>;

/** The bucket's sentinel. Undefined when there is none. Throws when the object is not a sentinel. */
export async function fetchOwnedSentinel(store: CloudStore): Promise<OwnedSentinel | undefined> {
  return (await fetchJson(store, sentinelKey, OwnedSentinelSchema))?.value;
}

export type SentinelClaim = {
  /** project/stack that runs this. */
  owner: string;
  /** The id in the configuration. */
  expectedId: string | undefined;
  /** The id that this stack found last time. */
  rememberedId: string | undefined;
};

/**
 * Makes the sentinel once, or adopts the existing one, which is never rewritten. Returns the bucket's id. Throws when
 * the bucket belongs to another stack, unless its id was named; when its id differs from the one named or remembered;
 * and when a sentinel is missing that should exist.
 */
export async function makeOrAdoptSentinel(store: CloudStore, claim: SentinelClaim): Promise<string> {
  const existing = await fetchOwnedSentinel(store);
  if (existing !== undefined) {
    assertOurs(existing, store.bucket, claim);
    return existing.bucketId;
  }
  await assertUnused(store, claim);
  const made: OwnedSentinel = { format: 1, bucketId: randomUUID(), owner: claim.owner };
  if (await putJson(store, sentinelKey, { value: made, etag: undefined })) return made.bucketId;
  return makeOrAdoptSentinel(store, claim);
}

/** Throws unless the bucket has this id. Call it before anything is written. */
export async function assertBucketId(store: CloudStore, bucketId: string): Promise<void> {
  const sentinel = await fetchOwnedSentinel(store);
  if (sentinel?.bucketId === bucketId) return;
  const found = sentinel === undefined ? "no sentinel" : `id ${sentinel.bucketId}`;
  throw new Error(
    `bucket ${store.bucket} has ${found} where ${bucketId} was expected: it is another bucket than the one this stack knows`,
  );
}

function assertOurs(sentinel: OwnedSentinel, bucket: string, { owner, expectedId, rememberedId }: SentinelClaim): void {
  if (expectedId === sentinel.bucketId) return;
  if (expectedId !== undefined) {
    throw new Error(
      `bucket ${bucket} has id ${sentinel.bucketId}, but bucketId says ${expectedId}: it is another bucket`,
    );
  }
  if (rememberedId !== undefined && rememberedId !== sentinel.bucketId) {
    throw new Error(
      `bucket ${bucket} has id ${sentinel.bucketId}, but this stack remembers ${rememberedId}: it is another bucket than before. ` +
        `If that is wanted: pulumi config set bucketId ${sentinel.bucketId}`,
    );
  }
  if (sentinel.owner !== undefined && sentinel.owner !== owner) {
    throw new Error(
      `bucket ${bucket} belongs to stack ${sentinel.owner}, and this is ${owner}: two stacks on one bucket would fight for its database. ` +
        `Name another bucket; or, if that stack is gone for good, take it over: pulumi config set bucketId ${sentinel.bucketId}`,
    );
  }
}

const betweenListsMs = 1_000;

// A bucket without a sentinel is new only if nobody knows its id and it is empty. Existing objects would get our
// lifecycle rules, and a machine's bucket whose sentinel was lost would get a second one.
async function assertUnused(store: CloudStore, { expectedId, rememberedId }: SentinelClaim): Promise<void> {
  const { bucket } = store;
  const knownId = expectedId ?? rememberedId;
  if (knownId !== undefined) {
    const source = expectedId === undefined ? "this stack remembers" : "bucketId says";
    throw new Error(
      `bucket ${bucket} has no ${sentinelKey}, but ${source} ${knownId}: is it the right bucket? ` +
        "If it is, bring the object back from its old versions; a new bucket wants a new stack",
    );
  }
  const keys = await listFirstKeys(store);
  const [first] = keys;
  // Another run has just made the sentinel, and may be probing the store. The PUT that follows cannot overwrite it.
  if (first === undefined || keys.includes(sentinelKey)) return;
  throw new Error(
    `bucket ${bucket} has no ${sentinelKey}, yet it holds ${first}: it is somebody else's, or a machine's that lost its sentinel. ` +
      "Name an empty bucket, or one that does not exist; or bring the sentinel back from its old versions",
  );
}

/** As patient as a boot's listings: a bucket that was used before may be full of delete markers too. */
async function listFirstKeys({ client, bucket }: CloudStore): Promise<string[]> {
  const call = `ListObjectsV2 (LIST, bucket ${bucket})`;
  let lastFault: unknown;
  for (const requestTimeout of limitTries(pageLimitMs)) {
    try {
      const asked = new ListObjectsV2Command({ Bucket: bucket, MaxKeys: 2 });
      const page = await client.send(asked, { requestTimeout });
      assertListing(page, call);
      return (page.Contents ?? []).flatMap(({ Key }) => Key ?? []);
    } catch (error) {
      lastFault = toBucketError(error, call);
      if (!mayPass(lastFault)) throw lastFault;
    }
    await sleep(betweenListsMs);
  }
  throw lastFault;
}
