import { GetObjectCommand, PutObjectCommand, S3ServiceException } from "@aws-sdk/client-s3";
import { type Static, type TSchema } from "typebox";
import { Value } from "typebox/value";

import type { CloudStore } from "./open-client.ts";

/** Reads a JSON object of the bucket; undefined when it is not there. Throws when it cannot be read or is something else. */
export async function fetchJson<Schema extends TSchema>(
  store: CloudStore,
  key: string,
  schema: Schema,
): Promise<{ value: Static<Schema>; etag: string } | undefined> {
  const found = await fetchText(store, key);
  if (found === undefined) return undefined;
  try {
    return { value: Value.Parse(schema, JSON.parse(found.text)), etag: found.etag };
  } catch (error) {
    throw new Error(`reading ${key} from bucket ${store.bucket}`, { cause: error });
  }
}

/** Reads an object of the bucket as text; undefined when it is not there. Throws when it cannot be read. */
export async function fetchText(
  { client, bucket }: CloudStore,
  key: string,
): Promise<{ text: string; etag: string } | undefined> {
  try {
    const answer = await client.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
    const text = await answer.Body?.transformToString();
    if (answer.ETag === undefined || text === undefined)
      throw new Error(`GET ${key} from bucket ${bucket}: the answer is not S3's`);
    return { text, etag: answer.ETag };
  } catch (error) {
    if (error instanceof S3ServiceException && error.name === "NoSuchKey") return undefined;
    throw new Error(`reading ${key} from bucket ${bucket}`, { cause: error });
  }
}

export type JsonChange = {
  value: unknown;
  /** What was read before; undefined when there was nothing. */
  etag: string | undefined;
};

/**
 * Writes a JSON object if nothing has changed since it was read. False when something has. A store that does not know
 * conditions gets the object all the same: it was looked at a moment ago, and nobody but `pulumi up` writes these.
 */
export async function putJson(
  { client, bucket }: CloudStore,
  key: string,
  { value, etag }: JsonChange,
): Promise<boolean> {
  const put = { Bucket: bucket, Key: key, Body: `${JSON.stringify(value)}\n`, ContentType: "application/json" };
  const condition = etag === undefined ? { IfNoneMatch: "*" } : { IfMatch: etag };
  try {
    await client.send(new PutObjectCommand({ ...put, ...condition }));
  } catch (error) {
    if (!(error instanceof S3ServiceException)) throw new Error(`writing ${key} to bucket ${bucket}`, { cause: error });
    if (error.$metadata.httpStatusCode === 412) return false;
    if (error.name !== "NotImplemented") throw new Error(`writing ${key} to bucket ${bucket}`, { cause: error });
    await client.send(new PutObjectCommand(put));
  }
  return true;
}
