import { randomBytes } from "node:crypto";

import {
  CopyObjectCommand,
  CreateBucketCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  PutObjectCommand,
  S3Client,
} from "@aws-sdk/client-s3";

import { openBucket, type Bucket } from "../../app/replica/bucket.ts";
import { fetchHead, headKey, type Head } from "../../app/replica/head.ts";
import type { BucketConfig } from "../../app/replica/s3-client.ts";
import { prepareBucket, removeBucket } from "../../scripts/local/bucket-preparation.ts";
import type { StoreAccess } from "../../scripts/local/seaweed-store.ts";

/** One bucket, with the rights of somebody who can break it. */
export class Site {
  readonly config: BucketConfig;
  readonly bucketId: string;
  readonly bucket: Bucket;
  readonly #client: S3Client;

  private constructor(config: BucketConfig, bucketId: string) {
    const { endpoint, region, accessKeyId, secretAccessKey } = config;
    if (endpoint === undefined) throw new Error("the store of a test needs an endpoint");
    this.config = config;
    this.bucketId = bucketId;
    this.bucket = openBucket(config);
    this.#client = new S3Client({
      endpoint,
      region,
      forcePathStyle: true,
      credentials: { accessKeyId, secretAccessKey },
    });
  }

  static async make(access: StoreAccess): Promise<Site> {
    const { config, bucketId } = await prepareBucket(access, null);
    return new Site(config, bucketId);
  }

  /** Another bucket with the same objects: what one test does to it no other test sees. */
  async copy(): Promise<Site> {
    const Bucket = `copy-${randomBytes(6).toString("hex")}`;
    await this.#client.send(new CreateBucketCommand({ Bucket }));
    const keys = await this.keys();
    const copies = keys.map((Key) =>
      this.#client.send(new CopyObjectCommand({ Bucket, Key, CopySource: `${this.config.bucket}/${Key}` })),
    );
    await Promise.all(copies);
    return new Site({ ...this.config, bucket: Bucket }, this.bucketId);
  }

  /**
   * Deletes the bucket: each takes room for its own volumes on SeaweedFS, and after some seventy there is none left.
   */
  async discard(): Promise<void> {
    await removeBucket({ config: this.config, bucketId: this.bucketId, made: true });
  }

  async keys(prefix = ""): Promise<string[]> {
    const keys: string[] = [];
    for await (const key of this.bucket.list(prefix)) keys.push(key);
    return keys;
  }

  /** Deletes what matches, and returns the deleted keys: a test that deletes nothing proves nothing. */
  async remove(pattern: RegExp): Promise<string[]> {
    const keys = (await this.keys()).filter((key) => pattern.test(key));
    if (keys.length === 0) throw new Error(`nothing in bucket ${this.config.bucket} matches ${String(pattern)}`);
    await Promise.all(
      keys.map((Key) => this.#client.send(new DeleteObjectCommand({ Bucket: this.config.bucket, Key }))),
    );
    return keys;
  }

  async readBytes(Key: string): Promise<Uint8Array> {
    const { Body } = await this.#client.send(new GetObjectCommand({ Bucket: this.config.bucket, Key }));
    if (Body === undefined) throw new Error(`${Key} has no body`);
    return Body.transformToByteArray();
  }

  async writeBytes(Key: string, body: Uint8Array | string): Promise<void> {
    await this.#client.send(new PutObjectCommand({ Bucket: this.config.bucket, Key, Body: Buffer.from(body) }));
  }

  async head(): Promise<Head> {
    return (await fetchHead(this.bucket)).head;
  }

  /** Replaces head as nobody of ours would. */
  async overwriteHead(head: Head): Promise<void> {
    await this.writeBytes(headKey, JSON.stringify(head));
  }
}
