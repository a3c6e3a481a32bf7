import { GetObjectCommand, type S3Client } from "@aws-sdk/client-s3";

import { BucketError, toBucketError } from "./bucket-error.ts";

type Reading = { Bucket: string; Key: string; doing: string; stallMs: number };

/**
 * Reads an object to its end, however long that takes, as long as something arrives. Throws BucketError, `unreachable`
 * when nothing arrives for `stallMs` or the body ends early.
 */
export async function readThrough(client: S3Client, { Bucket, Key, doing, stallMs }: Reading): Promise<void> {
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
      if (chunk.value instanceof Uint8Array) length += chunk.value.length;
      clearTimeout(timer);
      timer = setTimeout(giveUp, stallMs);
    }
    if (silence.signal.aborted) throw unreachable(doing, `nothing arrived for ${stallMs / 1000} s`);
    if (ContentLength !== undefined && length !== ContentLength)
      throw unreachable(doing, `the body ended after ${length} of ${ContentLength} bytes`);
  } catch (error) {
    // A body that tears is told by the stream, as an error of its own kind.
    throw toBucketError(error, doing);
  } finally {
    clearTimeout(timer);
  }
}

function unreachable(doing: string, detail: string): BucketError {
  return new BucketError("unreachable", doing, { detail });
}
