import { createHash, randomUUID } from "node:crypto";
import { finished, Readable, Transform } from "node:stream";

import { GetObjectCommand, PutObjectCommand } from "@aws-sdk/client-s3";

import { BucketError, toBucketError } from "../replica/bucket-error.ts";
import { type BucketConfig, openS3Client } from "../replica/s3-client.ts";
import { FileFault } from "./file-fault.ts";

/** Where files lie in the bucket: beside the epochs, so that neither Litestream nor a restore sees them. */
const filesPrefix = "files/";

/** A file in the bucket. Keep its key in a row: nothing else finds the file again. */
export type StoredFile = { key: string; bytes: number; contentType: string; sha256: string };

type FileLimits = {
  /** How long an upload may take. It is as slow as its sender or the store, whichever is slower. */
  putMs: number;
  /** How long the store may take to begin sending a file. */
  answerMs: number;
};

const usualLimits: FileLimits = { putMs: 60_000, answerMs: 5_000 };

/**
 * Files in the bucket, each written once under a random name. Write a file first and then the row that names it, so
 * that no row names a missing file. A file without a row does no harm.
 */
export class FileStore {
  readonly #config: BucketConfig;
  readonly #limits: FileLimits;

  /** Makes no request. */
  constructor(config: BucketConfig, limits: Partial<FileLimits> = {}) {
    this.#config = config;
    this.#limits = { ...usualLimits, ...limits };
  }

  /**
   * Streams the announced number of bytes into the bucket. Throws FileFault when the store refuses or the bytes end
   * early; then there is no file.
   */
  async put(content: Readable, { bytes, contentType }: { bytes: number; contentType: string }): Promise<StoredFile> {
    const key = `${filesPrefix}${randomUUID()}`;
    const hash = createHash("sha256");
    const digesting = new Transform({
      transform(chunk: Buffer, _encoding, done) {
        hash.update(chunk);
        done(null, chunk);
      },
    });
    const broken = new AbortController();
    const stopWatching = finished(content, { writable: false }, (error) => {
      if (error) broken.abort(error);
    });
    const client = this.#open(this.#limits.putMs, 1);
    try {
      const object = { Bucket: this.#config.bucket, Key: key, ContentType: contentType, ContentLength: bytes };
      const abortSignal = AbortSignal.any([broken.signal, AbortSignal.timeout(this.#limits.putMs)]);
      await client.send(new PutObjectCommand({ ...object, Body: content.pipe(digesting) }), { abortSignal });
      return { key, bytes, contentType, sha256: hash.digest("hex") };
    } catch (error) {
      throw new FileFault(`PUT ${key}`, { cause: broken.signal.reason ?? toBucketError(error, `PUT ${key}`) });
    } finally {
      stopWatching();
      content.unpipe(digesting);
      digesting.destroy();
      client.destroy();
    }
  }

  /** Opens a file for reading. Throws FileFault when the store does not deliver it. */
  async open(key: string): Promise<{ content: Readable; bytes: number }> {
    // A product must not read the replica through its files.
    if (!key.startsWith(filesPrefix)) throw new Error(`${key} is no key of a file: it must begin with ${filesPrefix}`);
    const doing = `GET ${key}`;
    const client = this.#open(this.#limits.answerMs, 3);
    try {
      const { Body, ContentLength } = await client.send(
        new GetObjectCommand({ Bucket: this.#config.bucket, Key: key }),
      );
      if (!(Body instanceof Readable) || ContentLength === undefined) throw BucketError.notAStore(doing, "no body");
      return { content: Body.once("close", () => client.destroy()), bytes: ContentLength };
    } catch (error) {
      client.destroy();
      const cause = toBucketError(error, doing);
      throw new FileFault(doing, { cause, isGone: cause instanceof BucketError && cause.kind === "missing" });
    }
  }

  #open(answerMs: number, maxAttempts: number) {
    return openS3Client(this.#config, { answerMs, maxAttempts, onDate: () => undefined });
  }
}
