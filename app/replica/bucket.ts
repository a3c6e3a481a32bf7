import { GetObjectCommand, PutObjectCommand, type PutObjectCommandInput, type S3Client } from "@aws-sdk/client-s3";

import { BucketError, toBucketError } from "./bucket-error.ts";
import { swapInKnownForm, type PutCondition } from "./conditional-writes.ts";
import { Lister, pageLimitMs, type BucketLimits, type OnSlowListing } from "./lister.ts";
import { download, openS3Client, readThrough, type BucketConfig } from "./s3-client.ts";

/** The object that marks a bucket as ours. It always exists, so a GET of it shows whether the store answers. */
export const sentinelKey = "lifeboat.json";

/** The calls that we make to the store, beside Litestream's. Every call ends within its time limit, or throws BucketError. */
export type Bucket = {
  readonly name: string;
  get(key: string): Promise<{ text: string; etag: string }>;
  /** Returns the first bytes of an object: all of them when it is shorter. */
  getStart(key: string, bytes: number): Promise<Uint8Array>;
  /**
   * Returns the new ETag. Sent once and never retried: a repeated conditional PUT would refuse its own first success.
   * `ifMatch` takes the ETag as it was read. Tries both forms, with and without quotes, until it knows which one the store accepts.
   */
  put(key: string, text: string, condition?: PutCondition): Promise<string>;
  /**
   * Reads an object to its end and keeps nothing, to prove that the store can deliver it. Fails after `stallMs` without
   * data.
   */
  readThrough(key: string, stallMs: number): Promise<void>;
  /** Writes an object into a new file, piece by piece. Fails after `stallMs` without data. */
  download(key: string, path: string, stallMs: number): Promise<void>;
  /** Lists every key under a prefix, page by page. */
  list(prefix: string): AsyncGenerator<string>;
  /** Lists the keys and the folders (ending in "/") at the top of the bucket. */
  listTop(): Promise<string[]>;
  /** How far this machine's clock is ahead of the store's, by the store's latest answer. Null before the first answer. */
  clockAheadMs(): number | null;
  /** The longest time that a page of a listing has taken so far. Litestream's own listings take as long. */
  longestListMs(): number;
};

type BucketOptions = Partial<BucketLimits> & { onSlowListing?: OnSlowListing };

const readAttempts = 3;
const bucketLimits: BucketLimits = {
  // Contended conditional PUTs on SeaweedFS take seconds (measured: 6.1 s with 16 at once), and a PUT gets only one
  // try.
  callMs: 15_000,
  answerMs: 5_000,
  listMs: pageLimitMs,
};

/** Opens the bucket. Makes no request. */
export function openBucket(config: BucketConfig, { onSlowListing, ...shortened }: BucketOptions = {}): Bucket {
  const limits = { ...bucketLimits, ...shortened };
  let aheadMs: number | null = null;
  const onDate = (storeMs: number) => (aheadMs = Date.now() - storeMs);
  const reads = openS3Client(config, { answerMs: limits.answerMs, maxAttempts: readAttempts, onDate });
  const writes = openS3Client(config, { answerMs: limits.callMs, maxAttempts: 1, onDate });
  const Bucket = config.bucket;
  const where = `${config.endpoint ?? "AWS S3"}, bucket ${Bucket}`;
  const limited: Limited = (doing, call, options) => endWithin(limits.callMs, doing, call, options);
  const get = (Key: string) =>
    limited(`GET ${Key} (${where})`, async (abortSignal) => {
      const answer = await reads.send(new GetObjectCommand({ Bucket, Key }), { abortSignal });
      if (answer.ETag === undefined || answer.Body === undefined) throw noEtag(`GET ${Key} (${where})`);
      return { text: await answer.Body.transformToString(), etag: answer.ETag };
    });
  const getStart = (Key: string, bytes: number) =>
    limited(`GET the start of ${Key} (${where})`, (abortSignal) =>
      fetchStart(reads, { Bucket, Key, bytes, abortSignal }),
    );
  const put = (Key: string, Body: string, condition: ConditionHeaders) =>
    limited(
      `PUT ${Key} (${where})`,
      (abortSignal) => sendObject(writes, { Bucket, Key, Body, condition, abortSignal }),
      {
        isConditional: Object.keys(condition).length > 0,
      },
    );
  const asking = () => isAnswering(get(sentinelKey));
  const lister = new Lister(config, { where, limits, onDate, onSlowListing, isAnswering: asking });
  const swap = swapInKnownForm({ put: (key, text, IfMatch) => put(key, text, { IfMatch }), get, where });

  return {
    name: Bucket,
    get,
    getStart,
    put: (key, text, condition) => {
      if (condition === undefined) return put(key, text, {});
      return "ifMatch" in condition ? swap(key, text, condition.ifMatch) : put(key, text, { IfNoneMatch: "*" });
    },
    clockAheadMs: () => aheadMs,
    readThrough: (key, stallMs) => readThrough(reads, { Bucket, Key: key, doing: `GET ${key} (${where})`, stallMs }),
    download: (key, path, stallMs) =>
      download(reads, { Bucket, Key: key, doing: `GET ${key} (${where})`, stallMs }, path),
    list: (prefix) => lister.list(prefix),
    listTop: () => lister.listTop(),
    longestListMs: () => lister.longestMs,
  };
}

async function readStart(stream: ReadableStream<Uint8Array>, bytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of stream) {
    chunks.push(chunk);
    length += chunk.length;
    if (length >= bytes) break;
  }
  return Buffer.concat(chunks).subarray(0, bytes);
}

type ConditionHeaders = Pick<PutObjectCommandInput, "IfMatch" | "IfNoneMatch">;
type Sending = Pick<PutObjectCommandInput, "Bucket" | "Key" | "Body"> & {
  condition: ConditionHeaders;
  abortSignal: AbortSignal;
};

async function sendObject(client: S3Client, { condition, abortSignal, ...object }: Sending): Promise<string> {
  const put = new PutObjectCommand({ ...object, ContentType: "application/json", ...condition });
  const { ETag } = await client.send(put, { abortSignal });
  if (ETag === undefined) throw noEtag(`PUT ${object.Key}`);
  return ETag;
}

type Start = { Bucket: string; Key: string; bytes: number; abortSignal: AbortSignal };

async function fetchStart(client: S3Client, { Bucket, Key, bytes, abortSignal }: Start): Promise<Uint8Array> {
  const range = new GetObjectCommand({ Bucket, Key, Range: `bytes=0-${bytes - 1}` });
  const { Body } = await client.send(range, { abortSignal });
  if (Body === undefined) throw BucketError.notAStore(`GET ${Key}`, "no body");
  // A store without range requests sends the whole object.
  return readStart(Body.transformToWebStream(), bytes);
}

function noEtag(doing: string): BucketError {
  return BucketError.notAStore(doing, "no ETag");
}

type CallOptions = { isConditional?: boolean };
type Limited = <Result>(
  doing: string,
  call: (signal: AbortSignal) => Promise<Result>,
  options?: CallOptions,
) => Promise<Result>;

/** Whether the store answers. A 404 is an answer too. */
async function isAnswering(call: Promise<unknown>): Promise<boolean> {
  try {
    await call;
    return true;
  } catch (error) {
    return error instanceof BucketError && error.status !== undefined;
  }
}

async function endWithin<Result>(
  limitMs: number,
  doing: string,
  call: (signal: AbortSignal) => Promise<Result>,
  options?: CallOptions,
): Promise<Result> {
  try {
    return await call(AbortSignal.timeout(limitMs));
  } catch (error) {
    throw toBucketError(error, doing, options);
  }
}
