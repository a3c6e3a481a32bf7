import {
  GetObjectCommand,
  ListObjectsV2Command,
  type ListObjectsV2CommandOutput,
  PutObjectCommand,
  type S3Client,
} from "@aws-sdk/client-s3";

import { BucketError, toBucketError } from "./bucket-error.ts";
import { swapInKnownForm } from "./conditional-writes.ts";
import { openS3Client, readThrough } from "./s3-client.ts";

export type BucketConfig = {
  bucket: string;
  region: string;
  /** Absent: AWS S3 itself. */
  endpoint?: string;
  pathStyle: boolean;
  accessKeyId: string;
  secretAccessKey: string;
};

export type PutCondition = { ifMatch: string } | { ifNoneMatch: "*" };

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
};

/** Longest times in milliseconds. Tests shorten them. */
export type BucketLimits = {
  /** For one small request, its repetitions included. */
  callMs: number;
  /** For one try of it. */
  answerMs: number;
};

const readAttempts = 3;
// Contended conditional PUTs on SeaweedFS take seconds (measured: 6.1 s, 16 at once), and a PUT has only one try.
const bucketLimits: BucketLimits = { callMs: 15_000, answerMs: 5_000 };

/** Opens the bucket. No request is made. */
export function openBucket(config: BucketConfig, limits: BucketLimits = bucketLimits): Bucket {
  let aheadMs: number | null = null;
  const onDate = (date: string) => {
    const storeMs = Date.parse(date);
    if (!Number.isNaN(storeMs)) aheadMs = Date.now() - storeMs;
  };
  const reads = openS3Client(config, { answerMs: limits.answerMs, maxAttempts: readAttempts, onDate });
  const writes = openS3Client(config, { answerMs: limits.callMs, maxAttempts: 1, onDate });
  const Bucket = config.bucket;
  const where = `${config.endpoint ?? "AWS S3"}, bucket ${Bucket}`;
  const limited: Limited = (doing, call) => endWithin(limits.callMs, doing, call);
  const get = (Key: string) =>
    limited(`GET ${Key} (${where})`, async (abortSignal) => {
      const answer = await reads.send(new GetObjectCommand({ Bucket, Key }), { abortSignal });
      if (answer.ETag === undefined || answer.Body === undefined) throw notAStore(`GET ${Key} (${where})`, "no ETag");
      return { text: await answer.Body.transformToString(), etag: answer.ETag };
    });
  const getStart = (Key: string, bytes: number) =>
    limited(`GET the start of ${Key} (${where})`, (abortSignal) =>
      fetchStart(reads, { Bucket, Key, bytes, abortSignal }),
    );
  const put = (Key: string, Body: string, condition: { IfMatch?: string; IfNoneMatch?: string }) =>
    limited(`PUT ${Key} (${where})`, async (abortSignal) => {
      const command = new PutObjectCommand({ Bucket, Key, Body, ContentType: "application/json", ...condition });
      const answer = await writes.send(command, { abortSignal });
      if (answer.ETag === undefined) throw notAStore(`PUT ${Key} (${where})`, "no ETag");
      return answer.ETag;
    });
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
    async *list(prefix) {
      for await (const page of pages(reads, { Bucket, Prefix: prefix }, { where, limited })) {
        for (const object of page.Contents ?? []) if (object.Key !== undefined) yield object.Key;
      }
    },
    listTop: () => nameAll(pages(reads, { Bucket, Delimiter: "/" }, { where, limited })),
  };
}

async function nameAll(listing: AsyncIterable<ListObjectsV2CommandOutput>): Promise<string[]> {
  const names: string[] = [];
  for await (const page of listing) {
    names.push(...(page.Contents ?? []).flatMap((object) => object.Key ?? []));
    names.push(...(page.CommonPrefixes ?? []).flatMap((folder) => folder.Prefix ?? []));
  }
  return names;
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

type Start = { Bucket: string; Key: string; bytes: number; abortSignal: AbortSignal };

async function fetchStart(client: S3Client, { Bucket, Key, bytes, abortSignal }: Start): Promise<Uint8Array> {
  const range = new GetObjectCommand({ Bucket, Key, Range: `bytes=0-${bytes - 1}` });
  const { Body } = await client.send(range, { abortSignal });
  if (Body === undefined) throw notAStore(`GET ${Key}`, "no body");
  // A store that knows no ranges sends all of it.
  return readStart(Body.transformToWebStream(), bytes);
}

type Limited = <Result>(doing: string, call: (signal: AbortSignal) => Promise<Result>) => Promise<Result>;

async function* pages(
  client: S3Client,
  input: { Bucket: string; Prefix?: string; Delimiter?: string },
  { where, limited }: { where: string; limited: Limited },
): AsyncGenerator<ListObjectsV2CommandOutput> {
  const doing = `LIST ${input.Prefix ?? "/"} (${where})`;
  let token: string | undefined;
  do {
    const command = new ListObjectsV2Command({
      ...input,
      ...(token === undefined ? {} : { ContinuationToken: token }),
    });
    const page = await limited(doing, (abortSignal) => client.send(command, { abortSignal }));
    // An HTML page answered with 200 parses as a listing without anything in it; a real one always counts its keys.
    if (page.KeyCount === undefined) throw notAStore(doing, "the answer does not count its keys");
    yield page;
    token = page.IsTruncated === true ? page.NextContinuationToken : undefined;
    if (page.IsTruncated === true && token === undefined)
      throw notAStore(doing, "a truncated page without a continuation");
  } while (token !== undefined);
}

async function endWithin<Result>(
  limitMs: number,
  doing: string,
  call: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  try {
    return await call(AbortSignal.timeout(limitMs));
  } catch (error) {
    throw toBucketError(error, doing);
  }
}

function notAStore(doing: string, detail: string): BucketError {
  return new BucketError("not-a-store", doing, { detail });
}
