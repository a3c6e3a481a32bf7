import { open } from "node:fs/promises";

import { GetObjectCommand, S3Client } from "@aws-sdk/client-s3";

import { BucketError, toBucketError } from "./bucket-error.ts";

export type BucketConfig = {
  bucket: string;
  region: string;
  /** Absent: AWS S3 itself. */
  endpoint?: string;
  pathStyle: boolean;
  accessKeyId: string;
  secretAccessKey: string;
};

type Opening = { answerMs: number; maxAttempts: number; onDate: (storeMs: number) => void };

/** Makes a client of the AWS SDK. `onDate` gets the store's clock from every answer, in ms since 1970. */
export function openS3Client(config: BucketConfig, { answerMs, maxAttempts, onDate }: Opening): S3Client {
  const client = new S3Client({
    region: config.region,
    ...(config.endpoint === undefined ? {} : { endpoint: config.endpoint }),
    forcePathStyle: config.pathStyle,
    credentials: { accessKeyId: config.accessKeyId, secretAccessKey: config.secretAccessKey },
    // Stores other than AWS reject the SDK's newer trailing checksums. The signature covers the payload anyway.
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
    requestHandler: { connectionTimeout: 2_000, requestTimeout: answerMs, throwOnRequestTimeout: true },
    maxAttempts,
    // The SDK would write to the console. What fails is thrown, and logged where it stops.
    logger: silent,
  });
  // The innermost step also sees answers that the SDK turns into errors.
  client.middlewareStack.add(
    (next) => async (args) => {
      const answered = await next(args);
      const storeMs = Date.parse(readDate(answered.response) ?? "");
      if (!Number.isNaN(storeMs)) onDate(storeMs);
      return answered;
    },
    { step: "deserialize", priority: "low", name: "readDate" },
  );
  return client;
}

const mute = () => undefined;
const silent = { trace: mute, debug: mute, info: mute, warn: mute, error: mute };

function readDate(response: unknown): string | null {
  if (typeof response !== "object" || response === null || !("headers" in response)) return null;
  const { headers } = response;
  if (typeof headers !== "object" || headers === null || !("date" in headers)) return null;
  return typeof headers.date === "string" ? headers.date : null;
}

type Reading = { Bucket: string; Key: string; doing: string; stallMs: number };

/**
 * Reads an object to its end, however long that takes, as long as data arrives. Throws BucketError `unreachable` when
 * nothing arrives for `stallMs` or the body ends early.
 */
export async function readThrough(client: S3Client, reading: Reading): Promise<void> {
  for await (const _piece of readPieces(client, reading));
}

/** The same into a new file that only its owner may read. The disk's own errors come as they are. */
export async function download(client: S3Client, reading: Reading, path: string): Promise<void> {
  await using file = await open(path, "wx", 0o600);
  for await (const piece of readPieces(client, reading)) await file.writeFile(piece);
}

async function* readPieces(client: S3Client, { Bucket, Key, doing, stallMs }: Reading): AsyncGenerator<Uint8Array> {
  const silence = new AbortController();
  const giveUp = () => silence.abort();
  let timer = setTimeout(giveUp, stallMs);
  try {
    const { Body, ContentLength } = await client.send(new GetObjectCommand({ Bucket, Key }), {
      abortSignal: silence.signal,
    });
    if (Body === undefined) throw new BucketError("not-a-store", doing, { detail: "no body" });
    const reader = Body.transformToWebStream().getReader();
    silence.signal.addEventListener("abort", () => void reader.cancel().catch(() => null));
    let length = 0;
    for (;;) {
      const chunk: { done: boolean; value?: unknown } = await reader.read();
      if (chunk.done) break;
      clearTimeout(timer);
      if (chunk.value instanceof Uint8Array) {
        length += chunk.value.length;
        yield chunk.value;
      }
      timer = setTimeout(giveUp, stallMs);
    }
    if (silence.signal.aborted) throw unreachable(doing, `nothing arrived for ${stallMs / 1000} s`);
    if (ContentLength !== undefined && length !== ContentLength)
      throw unreachable(doing, `the body ended after ${length} of ${ContentLength} bytes`);
  } catch (error) {
    // The stream reports a broken body as its own kind of error.
    throw toBucketError(error, doing);
  } finally {
    clearTimeout(timer);
    silence.abort();
  }
}

function unreachable(doing: string, detail: string): BucketError {
  return new BucketError("unreachable", doing, { detail });
}
