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

/** Called while a page of a listing is slow: with what is listed, and how long the page has taken so far. */
export type OnSlowListing = (listing: { doing: string; waitedMs: number }) => void;

type ListerOptions = {
  /** The store's name in an error. */
  where: string;
  limits: Pick<BucketLimits, "callMs" | "listMs">;
  onDate: (storeMs: number) => void;
  /** Whether the store answers a small request within that request's limit. */
  isAnswering: () => Promise<boolean>;
  onSlowListing: OnSlowListing | undefined;
};

/** Tries of one page, for faults that are reported at once. */
const attempts = 3;
/** The longest time for one page. A versioned store skips every delete marker before the first live key (ADR 22). */
export const pageLimitMs = 600_000;

const partsOfLimit = [1 / 20, 1 / 5, 1] as const;

/**
 * The time limits for the tries of one page, each longer than the last. A request that was lost, for example with its
 * connection, looks like a slow one: with these limits it costs 30 s and not ten minutes. A store that was slow for one
 * page is slow for the next.
 */
export function limitTries(listMs: number, longestMs = 0): readonly number[] {
  return partsOfLimit.map((part) => Math.ceil(Math.min(listMs, Math.max(part * listMs, 2 * longestMs))));
}

/** Throws for a web page answered with 200, which parses as an empty listing. A real listing counts its keys. */
export function assertListing({ KeyCount }: Pick<ListObjectsV2CommandOutput, "KeyCount">, doing: string): void {
  if (KeyCount === undefined) throw BucketError.notAStore(doing, "the answer does not count its keys");
}

/** Lists a bucket page by page. A page may take minutes as long as the store answers small requests meanwhile. */
export class Lister {
  readonly #client: S3Client;
  readonly #bucket: string;
  readonly #options: ListerOptions;
  /** The longest time that a page has taken so far, in the try that succeeded. */
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
      assertListing(page, doing);
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
    let lastFault: unknown;
    for (const limitMs of limitTries(listMs, this.longestMs)) {
      const tooLong = AbortSignal.timeout(limitMs);
      try {
        return await this.#send(command, AbortSignal.any([givenUp, tooLong]));
      } catch (error) {
        if (givenUp.aborted || !tooLong.aborted) throw error;
        lastFault = error;
      }
    }
    throw lastFault;
  }

  async #send(command: ListObjectsV2Command, abortSignal: AbortSignal): Promise<ListObjectsV2CommandOutput> {
    const startedAt = performance.now();
    const page = await this.#client.send(command, { abortSignal });
    this.longestMs = Math.max(this.longestMs, performance.now() - startedAt);
    return page;
  }
}
