import { GetObjectCommand, PutObjectCommand, type PutObjectCommandInput, type S3Client } from "@aws-sdk/client-s3";

import { BucketError, toBucketError } from "./bucket-error.ts";
import { swapInKnownForm, type PutCondition } from "./conditional-writes.ts";
import { Lister, type BucketLimits, type OnSlowListing } from "./lister.ts";
import { openS3Client, readThrough, type BucketConfig } from "./s3-client.ts";

/** Marks the bucket as ours. Every bucket of ours has it, so it is what one asks for to see whether the store answers. */
export const sentinelKey = "lifeboat.json";

/**
 * The few calls to the store that we make ourselves; Litestream makes its own. Every call throws BucketError and ends
 * within its time limit.
 */
export type Bucket = {
  readonly name: string;
  get(key: string): Promise<{ text: string; etag: string }>;
  /** The first bytes of an object, fewer when it is shorter. */
  getStart(key: string, bytes: number): Promise<Uint8Array>;
  /**
   * Returns the new ETag. Sent once, never repeated by itself: a repeated conditional PUT would refuse its own first
   * success. `ifMatch` takes the ETag as it was read; how the store wants it is found out.
   */
  put(key: string, text: string, condition?: PutCondition): Promise<string>;
  /** Reads an object to its end and keeps nothing: proves that the store gives it. Fails after `stallMs` of silence. */
  readThrough(key: string, stallMs: number): Promise<void>;
  /** Every key under a prefix, page by page. */
  list(prefix: string): AsyncGenerator<string>;
  /** The keys and the folders (ending in "/") at the top of the bucket. */
  listTop(): Promise<string[]>;
  /** How far this machine's clock is ahead of the store's, by its latest answer; null before the first. */
  clockAheadMs(): number | null;
  /** The longest that a page of a listing has taken so far: Litestream's own listings take as long. */
  longestListMs(): number;
};

type BucketOptions = Partial<BucketLimits> & { onSlowListing?: OnSlowListing };

const readAttempts = 3;
const bucketLimits: BucketLimits = {
  // Contended conditional PUTs on SeaweedFS take seconds (measured: 6.1 s, 16 at once), and a PUT has only one try.
  callMs: 15_000,
  answerMs: 5_000,
  // A store steps over every delete marker that lies before the first live key (docs/decisions/0022).
  listMs: 600_000,
};

/** Opens the bucket. No request is made. */
export function openBucket(config: BucketConfig, { onSlowListing, ...shortened }: BucketOptions = {}): Bucket {
  const limits = { ...bucketLimits, ...shortened };
  let aheadMs: number | null = null;
  const onDate = (date: string) => {
    const storeMs = Date.parse(date);
    if (!Number.isNaN(storeMs)) aheadMs = Date.now() - storeMs;
  };
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
  // A store that knows no ranges sends all of it.
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

/** Any answer of the store will do, also one that there is no such object. */
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
