import { createHash, randomUUID } from "node:crypto";
import { finished, Readable, Transform } from "node:stream";

import { GetObjectCommand, PutObjectCommand } from "@aws-sdk/client-s3";

import { BucketError, toBucketError } from "../replica/bucket-error.ts";
import { type BucketConfig, openS3Client } from "../replica/s3-client.ts";
import { FileFault } from "./file-fault.ts";

/** Where files lie in the bucket: beside the epochs, so that neither Litestream nor a restore sees them. */
const filesPrefix = "files/";

/** A file that is in the bucket. Only its key leads to it: keep that in a row. */
export type StoredFile = { key: string; bytes: number; contentType: string; sha256: string };

type FileLimits = {
  /** How long a file may take on its way into the bucket: as fast as its sender, and as the store. */
  putMs: number;
  /** How long the store may take to begin with a file. */
  answerMs: number;
};

const usualLimits: FileLimits = { putMs: 60_000, answerMs: 5_000 };

/**
 * Files in the bucket, each written once, under a name of its own. They go past the database: a row that names one is
 * written after it, so that no row names a file that is not there. A file whose row was never written harms nobody.
 */
export class FileStore {
  readonly #config: BucketConfig;
  readonly #limits: FileLimits;

  /** No request is made. */
  constructor(config: BucketConfig, limits: Partial<FileLimits> = {}) {
    this.#config = config;
    this.#limits = { ...usualLimits, ...limits };
  }

  /**
   * Sends as many bytes as announced into the bucket, without holding them. Throws FileFault when the store does not take
   * them, or when they end early; then there is no file.
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

  /** Opens a file to be read. Throws FileFault when the store does not give it. */
  async open(key: string): Promise<{ content: Readable; bytes: number }> {
    // The rest of the bucket is nobody's file.
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
