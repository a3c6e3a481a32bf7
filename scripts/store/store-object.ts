import { GetObjectCommand, PutObjectCommand, S3ServiceException } from "@aws-sdk/client-s3";
import { type Static, type TSchema } from "typebox";

import { BucketError, toBucketError } from "../../app/replica/bucket-error.ts";
import { swapInKnownForm, type Swap } from "../../app/replica/conditional-writes.ts";
import { parseJson } from "../../app/replica/parse-json.ts";
import type { CloudStore } from "./open-client.ts";

/**
 * Reads a JSON object of the bucket. Undefined when it does not exist. Throws BucketError when it cannot be read, and
 * ShapeError when it is something else.
 */
export async function fetchJson<Schema extends TSchema>(
  store: CloudStore,
  key: string,
  schema: Schema,
): Promise<{ value: Static<Schema>; etag: string } | undefined> {
  const found = await fetchText(store, key);
  if (found === undefined) return undefined;
  return { value: parseJson(schema, found.text, `${key} in bucket ${store.bucket}`), etag: found.etag };
}

/**
 * Reads an object of the bucket as text. Undefined when it does not exist. Throws BucketError when it cannot be read.
 */
export async function fetchText(
  { client, bucket }: CloudStore,
  key: string,
): Promise<{ text: string; etag: string } | undefined> {
  const call = `GET ${key} (bucket ${bucket})`;
  try {
    const answer = await client.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
    const text = await answer.Body?.transformToString();
    if (answer.ETag === undefined || text === undefined) throw BucketError.notAStore(call, "no ETag or no body");
    return { text, etag: answer.ETag };
  } catch (error) {
    if (error instanceof S3ServiceException && error.name === "NoSuchKey") return undefined;
    throw toBucketError(error, call);
  }
}

type Condition = { IfMatch?: string; IfNoneMatch?: string };

export type Content = {
  body: string | Uint8Array;
  contentType: string;
  /** Without one it is written whatever stands there. */
  condition?: Condition;
};

/** Writes an object of the bucket. Returns its ETag. Throws BucketError when it cannot be written. */
export async function putObject(
  { client, bucket }: CloudStore,
  key: string,
  { body, contentType, condition = {} }: Content,
): Promise<string> {
  const put = { Bucket: bucket, Key: key, Body: body, ContentType: contentType, ...condition };
  try {
    const { ETag } = await client.send(new PutObjectCommand(put));
    return ETag ?? "";
  } catch (error) {
    throw toBucketError(error, `PUT ${key} (bucket ${bucket})`);
  }
}

export type JsonChange = {
  value: unknown;
  /** The ETag that was read before. Undefined when there was no object. */
  etag: string | undefined;
};

/**
 * Writes a JSON object if it has not changed since it was read. Returns false when it has. An answer may be lost, and the
 * repetition is then refused for its own first success, so the object is read before either is believed. On a store
 * without conditional writes it is written all the same: it was read a moment ago, and only `up` and deploys write these
 * objects.
 */
export async function putJson(store: CloudStore, key: string, { value, etag }: JsonChange): Promise<boolean> {
  const content = { body: `${JSON.stringify(value)}\n`, contentType: "application/json" };
  const send = (condition: Condition) => putObject(store, key, { ...content, condition });
  try {
    if (etag === undefined) await send({ IfNoneMatch: "*" });
    else await swapIn(store, (IfMatch) => send({ IfMatch }))(key, "", etag);
  } catch (error) {
    if (!(error instanceof BucketError)) throw error;
    if (error.status === 412) return (await fetchText(store, key))?.text === content.body;
    if (error.kind === "unreachable" && (await holds(store, key, content.body))) return true;
    if (error.kind !== "unsupported" && error.kind !== "never-matches")
      throw new Error(`writing ${key} to bucket ${store.bucket}`, { cause: error });
    await send({});
  }
  return true;
}

async function holds(store: CloudStore, key: string, body: string): Promise<boolean> {
  const found = await fetchText(store, key).catch(() => undefined);
  return found?.text === body;
}

/** Finds out how a store wants If-Match, like the machines do. */
function swapIn(store: CloudStore, send: (ifMatch: string) => Promise<string>): Swap {
  const get = async (key: string) => {
    const found = await fetchText(store, key);
    return { etag: found?.etag ?? "" };
  };
  return swapInKnownForm({ put: (_key, _text, ifMatch) => send(ifMatch), get, where: `bucket ${store.bucket}` });
}
