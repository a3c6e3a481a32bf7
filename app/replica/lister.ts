import { ListObjectsV2Command, type ListObjectsV2CommandOutput, type S3Client } from "@aws-sdk/client-s3";

import { BucketError, toBucketError } from "./bucket-error.ts";
import { openS3Client, type BucketConfig } from "./s3-client.ts";

/** Longest times in milliseconds. Tests shorten them. */
export type BucketLimits = {
  /** For one small request, its repetitions included. */
  callMs: number;
  /** For one try of it. */
  answerMs: number;
  /** For one page of a listing, as long as the store answers other requests meanwhile. */
  listMs: number;
};

/** Is told of a listing that takes its time: what is listed, and for how long its page has been waited for. */
export type OnSlowListing = (listing: { doing: string; waitedMs: number }) => void;

type ListerOptions = {
  /** Names the store in an error. */
  where: string;
  limits: Pick<BucketLimits, "callMs" | "listMs">;
  onDate: (date: string) => void;
  /** Whether the store answers a small request within the limit of one. */
  isAnswering: () => Promise<boolean>;
  onSlowListing: OnSlowListing | undefined;
};

/** Of one try, for faults that are told at once. */
const attempts = 3;
/** What the first tries have, as parts of `listMs`, which the last one has: a lost request costs 30 s, not all of it. */
const firstParts = [1 / 20, 1 / 5] as const;

/**
 * Lists a bucket page by page, with a patience of its own: a versioned store steps over every delete marker that lies
 * before the first live key, which takes minutes where there are millions. So a page may take long as long as the store
 * answers other requests; a store that has fallen silent is told from it by a small request beside it, again and again.
 * A single request that is lost, as with its connection, looks like a slow one: so it is sent anew, and given longer.
 */
export class Lister {
  readonly #client: S3Client;
  readonly #bucket: string;
  readonly #options: ListerOptions;
  /** The longest that a page has taken so far, by the try that brought it. */
  longestMs = 0;

  constructor(config: BucketConfig, options: ListerOptions) {
    const { limits, onDate } = options;
    this.#client = openS3Client(config, { answerMs: limits.listMs, maxAttempts: attempts, onDate });
    this.#bucket = config.bucket;
    this.#options = options;
  }

  /** Every key under a prefix. Throws BucketError. */
  async *list(prefix: string): AsyncGenerator<string> {
    for await (const page of this.#pages({ Prefix: prefix })) {
      for (const object of page.Contents ?? []) if (object.Key !== undefined) yield object.Key;
    }
  }

  /** The keys and the folders (ending in "/") at the top. Throws BucketError. */
  async listTop(): Promise<string[]> {
    const names: string[] = [];
    for await (const page of this.#pages({ Delimiter: "/" })) {
      names.push(...(page.Contents ?? []).flatMap((object) => object.Key ?? []));
      names.push(...(page.CommonPrefixes ?? []).flatMap((folder) => folder.Prefix ?? []));
    }
    return names;
  }

  async *#pages(input: { Prefix?: string; Delimiter?: string }): AsyncGenerator<ListObjectsV2CommandOutput> {
    const doing = `LIST ${input.Prefix ?? "/"} (${this.#options.where})`;
    let token: string | undefined;
    do {
      const next = token === undefined ? {} : { ContinuationToken: token };
      const page = await this.#ask(doing, new ListObjectsV2Command({ Bucket: this.#bucket, ...input, ...next }));
      // An HTML page answered with 200 parses as a listing without anything in it; a real one always counts its keys.
      if (page.KeyCount === undefined) throw BucketError.notAStore(doing, "the answer does not count its keys");
      yield page;
      token = page.IsTruncated === true ? page.NextContinuationToken : undefined;
      if (page.IsTruncated === true && token === undefined)
        throw BucketError.notAStore(doing, "a truncated page without a continuation");
    } while (token !== undefined);
  }

  async #ask(doing: string, command: ListObjectsV2Command): Promise<ListObjectsV2CommandOutput> {
    const { limits, isAnswering, onSlowListing } = this.#options;
    const startedAt = performance.now();
    const giveUp = new AbortController();
    const watch = setInterval(() => {
      onSlowListing?.({ doing, waitedMs: Math.round(performance.now() - startedAt) });
      void isAnswering().then((answers) => answers || giveUp.abort());
    }, limits.callMs);
    try {
      return await this.#tryLonger(command, giveUp.signal);
    } catch (error) {
      throw toBucketError(error, doing);
    } finally {
      clearInterval(watch);
    }
  }

  async #tryLonger(command: ListObjectsV2Command, givenUp: AbortSignal): Promise<ListObjectsV2CommandOutput> {
    const { listMs } = this.#options.limits;
    for (const part of firstParts) {
      // A store that took long for one page takes long for the next.
      const limitMs = Math.ceil(Math.min(listMs, Math.max(part * listMs, 2 * this.longestMs)));
      const tooLong = AbortSignal.timeout(limitMs);
      try {
        return await this.#send(command, AbortSignal.any([givenUp, tooLong]));
      } catch (error) {
        if (givenUp.aborted || !tooLong.aborted) throw error;
      }
    }
    return this.#send(command, AbortSignal.any([givenUp, AbortSignal.timeout(listMs)]));
  }

  async #send(command: ListObjectsV2Command, abortSignal: AbortSignal): Promise<ListObjectsV2CommandOutput> {
    const startedAt = performance.now();
    const page = await this.#client.send(command, { abortSignal });
    this.longestMs = Math.max(this.longestMs, performance.now() - startedAt);
    return page;
  }
}
