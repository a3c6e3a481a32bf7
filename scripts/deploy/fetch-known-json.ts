import { ListObjectsV2Command } from "@aws-sdk/client-s3";
import type { Static, TSchema } from "typebox";

import { Refused } from "../../app/cli/command-line.ts";
import { BucketError, toBucketError } from "../../app/replica/bucket-error.ts";
import { ShapeError } from "../../app/replica/parse-json.ts";
import type { CloudStore } from "../store/open-client.ts";
import { fetchJson } from "../store/store-object.ts";

/** An object that only deploys and `up` write is something else. */
export class DamagedObject extends Refused {}

/**
 * Reads a JSON object that may be missing. Undefined when it is. Amazon answers "forbidden" instead of "missing" to a
 * key that may list only some prefixes, as the deploy key, so absence is proven by a listing.
 */
export async function fetchKnownJson<Schema extends TSchema>(
  store: CloudStore,
  key: string,
  schema: Schema,
): Promise<{ value: Static<Schema>; etag: string } | undefined> {
  try {
    return await fetchJson(store, key, schema);
  } catch (error) {
    if (!(error instanceof BucketError)) throw explainDamage(error);
    if (error.status !== 403 || (await hasObject(store, key))) throw error;
    return undefined;
  }
}

function explainDamage(cause: unknown): unknown {
  if (!(cause instanceof ShapeError)) return cause;
  return new DamagedObject(
    `${cause.message}. Put an older version of it back, or delete it: the next deploy writes it again`,
    { cause },
  );
}

/** Whether the bucket has an object, by a listing. Throws BucketError. */
export async function hasObject({ client, bucket }: CloudStore, key: string): Promise<boolean> {
  const call = `ListObjectsV2 ${key} (LIST, bucket ${bucket})`;
  try {
    const answer = await client.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: key, MaxKeys: 1 }));
    if (answer.KeyCount === undefined) throw BucketError.notAStore(call, "the answer does not count its keys");
    return answer.Contents?.[0]?.Key === key;
  } catch (error) {
    throw toBucketError(error, call);
  }
}
